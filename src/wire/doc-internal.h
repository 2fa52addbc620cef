/* doc-internal - the tag bytes of a document (doc.h), for doc.c, its test and its fuzz target. */
#ifndef WIRE_DOC_INTERNAL_H
#define WIRE_DOC_INTERNAL_H

enum doc_tag {
    DOC_MAP_BEGIN = 1,
    DOC_MAP_END,
    DOC_LIST_BEGIN,
    DOC_LIST_END,
    DOC_NULL,
    DOC_TRUE,
    DOC_FALSE,
    DOC_INT,
    DOC_KEY,
    DOC_TEXT,
    DOC_BLOB,
    DOC_JSON,
};

#endif
