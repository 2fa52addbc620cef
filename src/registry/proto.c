/* proto - see proto.h. */
#include "registry/proto.h"

MSG_IMPLEMENT(request, PROTO_REQUEST_FIELDS)
MSG_IMPLEMENT(reply, PROTO_REPLY_FIELDS)
MSG_IMPLEMENT(conn, PROTO_CONN_FIELDS)
