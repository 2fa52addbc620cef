/* front-schema - a schema from JSON in the form that the engine takes; see front.h. */
#include "front/front.h"
#include "model/schema-json.h"

int front_read_schema(struct front_ask *ask)
{
    int r = front_read_path_arg(ask);
    if (r != 0)
        return r;
    buf_clear(ask->leaves);
    r = schema_json_read(ask->leaves, ask->http->body, ask->why_text, sizeof ask->why_text);
    if (r == SCHEMA_JSON_BAD) {
        ask->why = ask->why_text;
        return OUTCOME_BAD_REQUEST;
    }
    ask->m.body = buf_view(ask->leaves);
    return r;
}
