/*
 * front-openapi - the OpenAPI 3.1 description of the service, made from the table of routes; see front.h.
 *
 * A route's method, path, arguments and text stand in its row, with the names of what it takes and answers; this file
 * holds what those names and arguments mean, as JSON Schema. The functional tests hold the daemon's replies against it.
 * Source: spec.openapis.org/oas/v3.1.0; json-schema.org/draft/2020-12.
 */
#include <string.h>

#include "front/front.h"

#define TIME "{\"type\":\"string\",\"format\":\"date-time\"}"
#define COUNT "{\"type\":\"integer\",\"minimum\":0}"
#define PATH "{\"type\":\"string\",\"maxLength\":512}"
#define TEXT "{\"type\":\"string\"}"
#define BOOL "{\"type\":\"boolean\"}"
#define HASH "{\"type\":\"string\",\"pattern\":\"^[0-9a-f]{64}$\"}"
#define LIST(of) "{\"type\":\"array\",\"items\":" of "}"
#define OR_NULL(of) "{\"anyOf\":[" of ",{\"type\":\"null\"}]}"
#define TYPE "{\"enum\":[\"string\",\"integer\",\"boolean\",\"float\",\"json\",\"binary\",\"list\"]}"
#define MAP(required, properties)                                                                                      \
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[" required "],\"properties\":{" properties "}}"

/* What routes answer and take, by name. A member that is not always there is left out of `required`. */
static const struct {
    const char *name, *schema;
} schemas[] = {
    {"null", "{\"type\":\"null\"}"},
    {"entry",
     MAP("\"path\",\"type\",\"sealed\",\"version\",\"size\",\"value\",\"created\",\"created_by\",\"changed\",\"changed_"
         "by\","
         "\"reason\",\"comment\",\"tags\",\"expires\"",
         "\"path\":" PATH ",\"type\":" TYPE ",\"sealed\":" BOOL ",\"version\":" COUNT ",\"size\":" COUNT
         ",\"value\":true,\"created\":" TIME ",\"created_by\":" COUNT ",\"changed\":" TIME ",\"changed_by\":" COUNT
         ",\"reason\":" TEXT ",\"comment\":" TEXT
         ",\"tags\":" LIST(TEXT) ",\"expires\":" OR_NULL(TIME) ",\"default\":{\"const\":true}")},
    {"history",
     MAP("\"path\",\"versions\"",
         "\"path\":" PATH ",\"versions\":" LIST(MAP(
             "\"version\",\"type\",\"sealed\",\"deleted\",\"destroyed\",\"size\",\"changed\",\"changed_by\",\"reason\","
             "\"revision\"",
             "\"version\":" COUNT ",\"type\":" TYPE ",\"sealed\":" BOOL ",\"deleted\":" BOOL ",\"destroyed\":" BOOL
             ",\"size\":" COUNT ",\"changed\":" TIME ",\"changed_by\":" COUNT ",\"reason\":" TEXT
             ",\"revision\":" COUNT)))},
    {"listing",
     MAP("\"path\",\"revision\",\"entries\",\"next\"",
         "\"path\":" PATH ",\"revision\":" COUNT ",\"next\":" OR_NULL(TEXT) ",\"entries\":" LIST(
             MAP("", "\"name\":" TEXT ",\"path\":" PATH
                     ",\"folder\":{\"const\":true},\"corrupt\":{\"const\":true},\"type\":" TYPE ",\"version\":" COUNT
                     ",\"sealed\":" BOOL ",\"size\":" COUNT ",\"changed\":" TIME
                     ",\"tags\":" LIST(TEXT) ",\"expires\":" OR_NULL(TIME) ",\"value\":true,\"comment\":" TEXT)))},
    {"fingerprint", MAP("\"path\",\"fingerprint\",\"entries\",\"revision\"",
                        "\"path\":" PATH ",\"fingerprint\":" HASH ",\"entries\":" COUNT ",\"revision\":" COUNT)},
    {"done", MAP("\"path\",\"version\",\"revision\"", "\"path\":" PATH ",\"version\":" COUNT ",\"revision\":" COUNT)},
    {"txn-done",
     MAP("\"succeeded\",\"dry_run\",\"results\",\"revision\"",
         "\"succeeded\":" BOOL ",\"dry_run\":" BOOL ",\"revision\":" COUNT ",\"results\":" LIST(
             "{\"anyOf\":[{\"$ref\":\"#/components/schemas/done\"},{\"$ref\":\"#/components/schemas/entry\"}," MAP(
                 "\"path\"", "\"path\":" PATH ",\"to\":" PATH ",\"entries\":" COUNT ",\"version\":" COUNT) "]}"))},
    {"txn", "{\"type\":\"object\",\"additionalProperties\":false,\"anyOf\":[{\"required\":[\"then\"]},{\"required\":["
            "\"else\"]}],"
            "\"properties\":{\"compare\":{\"$ref\":\"#/components/schemas/leaves\"},\"then\":{\"$ref\":\"#/components/"
            "schemas/leaves\"},"
            "\"else\":{\"$ref\":\"#/components/schemas/leaves\"},\"reason\":" TEXT ",\"dry_run\":" BOOL "}}"},
    {"leaves",
     "{\"type\":\"array\",\"maxItems\":10000,\"items\":" MAP(
         "", "\"op\":{\"enum\":[\"set\",\"get\",\"delete\",\"delete-tree\",\"move\",\"copy\",\"revert\",\"destroy\"]},"
             "\"path\":" PATH ",\"from\":" PATH ",\"to\":" PATH ",\"value\":true,\"text\":" TEXT ",\"type\":" TYPE
             ",\"seal\":" BOOL ",\"comment\":" TEXT ",\"tags\":" LIST(TEXT) ",\"expires\":" OR_NULL(
                 TIME) ",\"version\":" COUNT ",\"revision\":" COUNT
                       ",\"absent\":{\"const\":true},\"present\":{\"const\":true},\"fingerprint\":" HASH) "}"},
    {"rules", MAP("\"path\",\"policy\",\"rules\"",
                  "\"path\":" PATH ",\"policy\":" COUNT ",\"rules\":" LIST(
                      MAP("\"id\",\"path\",\"effect\",\"principal\",\"actions\",\"condition\",\"expires\",\"created\","
                          "\"created_by\"",
                          "\"id\":" COUNT ",\"path\":" PATH ",\"effect\":"
                          "{\"enum\":[\"allow\",\"deny\",\"approve\"]}"
                          ",\"principal\":" TEXT ",\"actions\":" TEXT ",\"condition\":" OR_NULL(
                              TEXT) ",\"unreadable\":" BOOL ",\"expires\":" OR_NULL(TIME) ",\"created\":" TIME
                                                                                          ",\"created_by\":" COUNT)))},
    {"rule", MAP("\"path\",\"effect\",\"principal\",\"actions\"",
                 "\"path\":" PATH ",\"effect\":"
                 "{\"enum\":[\"allow\",\"deny\",\"approve\"]}"
                 ",\"principal\":" TEXT ",\"actions\":" TEXT ",\"condition\":" TEXT)},
    {"member-row",
     MAP("\"id\",\"role\",\"principal\",\"created\",\"created_by\"",
         "\"id\":" COUNT ",\"role\":" TEXT ",\"principal\":" TEXT ",\"created\":" TIME ",\"created_by\":" COUNT)},
    {"roles", MAP("\"policy\",\"members\"",
                  "\"policy\":" COUNT ",\"members\":" LIST("{\"$ref\":\"#/components/schemas/member-row\"}"))},
    {"member", MAP("\"role\",\"principal\"", "\"role\":" TEXT ",\"principal\":" TEXT)},
    {"edited",
     MAP("", "\"id\":" COUNT ",\"dry_run\":" BOOL ",\"principals\":" COUNT ",\"places\":" COUNT ",\"has_more\":" BOOL
             ",\"changes\":" LIST(MAP("\"principal\",\"path\",\"action\",\"before\",\"after\"",
                                      "\"principal\":" TEXT ",\"path\":" PATH ",\"action\":" TEXT ",\"before\":" TEXT
                                      ",\"after\":" TEXT)))},
    {"explanation",
     MAP("\"path\",\"action\",\"allowed\",\"decided_by\",\"rule\",\"owner\",\"roles\",\"maybe_roles\",\"rules\"",
         "\"path\":" PATH ",\"action\":" TEXT ",\"allowed\":" BOOL ",\"decided_by\":"
         "{\"enum\":[\"rule\",\"owner\",\"default\",\"anonymous\"]}"
         ",\"rule\":" COUNT ",\"owner\":" BOOL
         ",\"roles\":" LIST(TEXT) ",\"maybe_roles\":" LIST(TEXT) ",\"rules\":" LIST(
             MAP("\"id\",\"effect\",\"verdict\",\"names\",\"holds\",\"failing\",\"unknown\"",
                 "\"id\":" COUNT ",\"effect\":" TEXT ",\"verdict\":" TEXT ",\"names\":"
                 "{\"enum\":[\"yes\",\"no\",\"unknown\"]}"
                 ",\"holds\":"
                 "{\"enum\":[\"yes\",\"no\",\"unknown\"]}"
                 ",\"failing\":" LIST(TEXT) ",\"unknown\":" LIST(
                     TEXT) ",\"path\":" PATH ",\"principal\":" TEXT
                           ",\"member\":" OR_NULL(TEXT) ",\"actions\":" TEXT ",\"condition\":" OR_NULL(TEXT))))},
    {"approvals",
     MAP("\"approvals\"", "\"approvals\":" LIST(MAP("\"id\",\"path\",\"op\",\"uid\",\"created\",\"expires\"",
                                                    "\"id\":" COUNT ",\"path\":" PATH ",\"op\":" TEXT ",\"uid\":" COUNT
                                                    ",\"created\":" TIME ",\"expires\":" TIME)))},
    {"approval", MAP("\"id\",\"path\",\"op\",\"uid\",\"created\",\"expires\",\"requests\"",
                     "\"id\":" COUNT ",\"path\":" PATH ",\"op\":" TEXT ",\"uid\":" COUNT ",\"created\":" TIME
                     ",\"expires\":" TIME ",\"requests\":" LIST("{\"type\":\"object\",\"required\":[\"op\"]}"))},
    {"approved", MAP("\"id\",\"revision\"", "\"id\":" COUNT ",\"revision\":" COUNT)},
    {"policy",
     MAP("\"changes\"", "\"changes\":" LIST(MAP("", "\"add\":"
                                                    "{\"enum\":[\"rule\",\"member\"]}"
                                                    ",\"remove\":"
                                                    "{\"enum\":[\"rule\",\"member\"]}"
                                                    ",\"path\":" PATH ",\"effect\":"
                                                    "{\"enum\":[\"allow\",\"deny\",\"approve\"]}"
                                                    ",\"principal\":" TEXT ",\"actions\":" TEXT ",\"condition\":" TEXT
                                                    ",\"id\":" COUNT ",\"role\":" TEXT)))},
    {"policy-test",
     MAP("\"unknown\",\"records\",\"next\",\"changes\"",
         "\"unknown\":" LIST(TEXT) ",\"records\":" COUNT ",\"next\":" OR_NULL(COUNT) ",\"changes\":" LIST(
             MAP("\"seq\",\"time\",\"kind\",\"uid\",\"path\",\"action\",\"outcome\",\"before\",\"after\"",
                 "\"seq\":" COUNT ",\"time\":" TIME ",\"kind\":" TEXT ",\"uid\":" COUNT ",\"path\":" TEXT
                 ",\"action\":" TEXT ",\"outcome\":" TEXT ",\"before\":" TEXT ",\"after\":" TEXT)))},
    {"glass", MAP("\"id\",\"actions\",\"expires\"", "\"id\":" COUNT ",\"actions\":" TEXT ",\"expires\":" TIME)},
    {"rule-test", MAP("\"allowed\",\"rule\"", "\"allowed\":" BOOL ",\"rule\":" COUNT)},
    {"records",
     MAP("\"records\",\"next\"",
         "\"next\":" OR_NULL(COUNT) ",\"records\":" LIST(
             MAP("\"seq\",\"time\",\"kind\",\"outcome\",\"request_id\",\"uid\",\"gid\",\"pid\","
                 "\"session\",\"unit\",\"label\",\"path\",\"detail\","
                 "\"version_before\",\"version_after\",\"rule\",\"revision\"",
                 "\"seq\":" COUNT ",\"time\":" TIME ",\"kind\":" TEXT ",\"outcome\":" TEXT ",\"request_id\":" TEXT
                 ",\"uid\":" COUNT ",\"gid\":" COUNT ",\"pid\":" COUNT ",\"session\":" TEXT ",\"unit\":" TEXT
                 ",\"label\":" TEXT ",\"path\":" TEXT ",\"detail\":" TEXT ",\"version_before\":" COUNT
                 ",\"version_after\":" COUNT ",\"rule\":" COUNT ",\"revision\":" COUNT)))},
    {"head", MAP("\"size\",\"root\",\"last\",\"note\",\"key\"", "\"size\":" COUNT ",\"root\":" HASH ",\"last\":" HASH
                                                                ",\"note\":" OR_NULL(TEXT) ",\"key\":" OR_NULL(TEXT))},
    {"proof",
     MAP("\"size\",\"proof\"", "\"size\":" COUNT ",\"proof\":" TEXT ",\"record\":" COUNT ",\"version\":" COUNT)},
    {"pruned",
     MAP("\"removed\",\"first\"", "\"removed\":" COUNT ",\"first\":" COUNT ",\"before\":" COUNT ",\"root\":" HASH)},
    {"share", MAP("\"uid\",\"connections\",\"entries\",\"bytes_stored\",\"turned_away\"",
                  "\"uid\":" COUNT ",\"connections\":" COUNT ",\"entries\":" COUNT ",\"bytes_stored\":" COUNT
                  ",\"turned_away\":" COUNT)},
    {"status",
     MAP("\"version\",\"state\",\"revision\",\"storage\",\"share\"",
         "\"version\":" TEXT ",\"state\":{\"enum\":[\"locked\",\"unlocked\"]},\"revision\":" COUNT
         ",\"storage\":{\"enum\":[\"ok\",\"full\"]},\"share\":{\"$ref\":\"#/components/schemas/"
         "share\"},\"shares\":" LIST(
             "{\"$ref\":\"#/components/schemas/share\"}") ",\"entries\":" COUNT ",\"deleted_entries\":" COUNT
                                                          ",\"corrupt_entries\":" COUNT ",\"rules\":" COUNT
                                                          ",\"records\":" COUNT ",\"first_record\":" COUNT
                                                          ",\"unrecorded\":" COUNT ",\"watches\":" COUNT
                                                          ",\"followers\":" COUNT ",\"epoch\":" COUNT ",\"era\":" COUNT
                                                          ",\"pass\":{\"type\":\"object\"}"
                                                          ",\"connections\":" COUNT ",\"store\":" TEXT
                                                          ",\"reload\":" MAP(
                                                              "\"done\",\"text\"",
                                                              "\"done\":" BOOL
                                                              ",\"text\":" TEXT) ",\"roles\":" LIST(MAP("\"role\","
                                                                                                        "\"pid\","
                                                                                                        "\"landlock_"
                                                                                                        "abi\",\"not_"
                                                                                                        "held\"",
                                                                                                        "\"role\":" TEXT
                                                                                                        ",\"pid\""
                                                                                                        ":" COUNT
                                                                                                        ",\"landlock_"
                                                                                                        "abi\":" COUNT
                                                                                                        ",\"not_"
                                                                                                        "held\""
                                                                                                        ":" TEXT)))},
    {"schema",
     MAP("", "\"type\":" TYPE ",\"min\":{\"type\":\"number\"},\"max\":{\"type\":\"number\"},\"min_bytes\":" COUNT
             ",\"max_bytes\":" COUNT
             ",\"enum\":" LIST("true") ",\"pattern\":" TEXT ",\"default\":" TEXT
                                       ",\"secrecy\":{\"enum\":[\"sealed\",\"sealed-names\",\"clear\",\"any\"]}"
                                       ",\"rotate_every_s\":" COUNT ",\"required\":" BOOL ",\"description\":" TEXT
                                       ",\"owner\":" TEXT)},
    {"schemas", MAP("\"path\",\"schemas\"",
                    "\"path\":" PATH ",\"schemas\":" LIST(
                        MAP("\"path\",\"schema\",\"created\",\"created_by\"",
                            "\"path\":" PATH ",\"schema\":{\"$ref\":\"#/components/schemas/schema\"},\"created\":" TIME
                            ",\"created_by\":" COUNT)))},
    {"path", MAP("\"path\"", "\"path\":" PATH)},
    {"findings", MAP("\"path\",\"findings\",\"more\"",
                     "\"path\":" PATH ",\"more\":" BOOL ",\"findings\":" LIST(MAP(
                         "\"path\",\"finding\",\"why\"",
                         "\"path\":" PATH
                         ",\"finding\":{\"enum\":[\"unfit\",\"missing\",\"overdue\",\"corrupt\"]},\"why\":" TEXT)))},
    {"login", MAP("", "\"user\":" TEXT ",\"conversation\":" TEXT ",\"answers\":" LIST(TEXT))},
    {"said", MAP("", "\"info\":" TEXT ",\"error\":" TEXT ",\"text\":" TEXT ",\"echo\":" BOOL)},
    {"login-step",
     "{\"anyOf\":[" MAP(
         "\"conversation\",\"prompts\"",
         "\"conversation\":" TEXT ",\"prompts\":" LIST(
             "{\"$ref\":\"#/components/schemas/said\"}")) "," MAP("\"session\",\"user\",\"expires\",\"absolute\","
                                                                  "\"notes\"",
                                                                  "\"session\":" TEXT ",\"user\":" TEXT
                                                                  ",\"expires\":" TIME ",\"absolute\":" TIME
                                                                  ",\"notes\":" LIST("{\"$ref\":\"#/components/schemas/"
                                                                                     "said\"}")) "]}"},
    {"sessions",
     MAP("\"sessions\"", "\"sessions\":" LIST(MAP("\"id\",\"made\",\"used\",\"expires\",\"absolute\",\"current\"",
                                                  "\"id\":" TEXT ",\"made\":" TIME ",\"used\":" TIME
                                                  ",\"expires\":" TIME ",\"absolute\":" TIME ",\"current\":" BOOL)))},
    {"logged-out", MAP("\"ended\"", "\"ended\":" COUNT)},
    {"slot-id", MAP("\"id\"", "\"id\":" COUNT)},
    {"slot", MAP("\"id\",\"kind\",\"label\",\"created\",\"created_by\",\"good\"",
                 "\"id\":" COUNT ",\"kind\":{\"enum\":[\"passphrase\",\"key-file\",\"malformed\"]},\"label\":" TEXT
                 ",\"rounds\":" COUNT ",\"created\":" TIME ",\"created_by\":" COUNT ",\"good\":" OR_NULL(BOOL))},
    {"slots", MAP("\"slots\"", "\"slots\":" LIST("{\"$ref\":\"#/components/schemas/slot\"}"))},
    {"rekey", MAP("\"slots\"", "\"dry_run\":" BOOL ",\"slots\":" LIST(
                                   MAP("\"id\"", "\"id\":" COUNT ",\"passphrase\":" TEXT ",\"material\":" TEXT)))},
    {"rekey-plan", MAP("\"kept\",\"dropped\",\"rows\",\"dry_run\"",
                       "\"kept\":" LIST("{\"$ref\":\"#/components/schemas/slot\"}") ",\"dropped\":" LIST(
                           "{\"$ref\":\"#/components/schemas/slot\"}") ",\"rows\":" COUNT ",\"dry_run\":" BOOL)},
    {"rotate-plan", MAP("\"rows\",\"epoch\"", "\"rows\":" COUNT ",\"epoch\":" COUNT)},
    {"backup", MAP("\"id\",\"parts\",\"bytes\",\"revision\",\"records\",\"root\"",
                   "\"id\":" COUNT ",\"parts\":" COUNT ",\"bytes\":" COUNT ",\"revision\":" COUNT ",\"records\":" COUNT
                   ",\"root\":" HASH)},
    {"whoami",
     MAP("\"uid\",\"gid\",\"groups\",\"pid\",\"unit\",\"label\",\"owns\",\"roles\",\"rights\",\"auth\",\"auth_age\"",
         "\"uid\":" COUNT ",\"gid\":" COUNT
         ",\"groups\":" LIST(COUNT) ",\"pid\":" COUNT ",\"unit\":" TEXT ",\"label\":" TEXT
                                    ",\"owns\":" OR_NULL(PATH) ",\"roles\":" LIST(TEXT) ",\"rights\":" LIST(
                                        TEXT) ",\"auth\":{\"enum\":[\"peer\",\"pam\"]},\"auth_age\":" OR_NULL(COUNT))},
};

/* What arguments mean, whatever route they are given to. A flag has no value. */
static const struct {
    const char *name, *schema, *text;
} arguments[] = {
    {"action", TEXT, "name of an action"},
    {"all", "{\"const\":\"\"}", "every one"},
    {"after", TEXT, "go on behind this name, path or record"},
    {"expires_before", TIME, "only entries that expire by then"},
    {"fingerprint", "{\"const\":\"\"}", "what the folder amounts to"},
    {"history", "{\"const\":\"\"}", "the kept versions, newest first"},
    {"id", TEXT, "number of a rule, slot, backup or approval, or handle of a session"},
    {"kind", TEXT, "only records of this kind; what opens the slot: passphrase or key-file"},
    {"label", TEXT, "what it is called"},
    {"limit", "{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000}", "at most so many"},
    {"long", "{\"const\":\"\"}", "size, time of change, tags and end too"},
    {"name", TEXT, "only entries whose name fits this glob"},
    {"order", "{\"enum\":[\"up\",\"down\"]}", "oldest or newest first"},
    {"part", COUNT, "which part"},
    {"path", PATH, "a path of the tree"},
    {"principal", TEXT, "such as uid:1000"},
    {"raw", "{\"const\":\"\"}", "the canonical records, each with its length before it"},
    {"recursive", "{\"const\":\"\"}", "everything below"},
    {"refused", "{\"const\":\"\"}", "only what was not done"},
    {"revision", COUNT, "as it was then"},
    {"rounds", COUNT, "of the key derivation"},
    {"since", TEXT, "not before: a time, or a revision of a watch"},
    {"tag", TEXT, "only entries with this tag"},
    {"type", TYPE, "only entries of this type"},
    {"uid", COUNT, "only records of this user"},
    {"until", TIME, "not after"},
    {"values", "{\"const\":\"\"}", "each entry with its value"},
    {"version", COUNT, "a kept version"},
    {"dry_run", "{\"const\":\"\"}", "say what would change, and change nothing"},
    {"for", COUNT, "seconds"},
    {"role", TEXT, "name of a role"},
    {"record", COUNT, "number of a record"},
    {"session", TEXT, "only what was asked with the session of that handle, and its login"},
    {"outcome", TEXT, "only what ended so: the code of an error, or done"},
    {"rule", COUNT, "only what this rule decided"},
    {"before", COUNT, "only records before this one"},
    {"from", COUNT, "how many records there were, or are known"},
};

static const char *const methods[] = {
    [HTTP1_GET] = "get", [HTTP1_PUT] = "put", [HTTP1_POST] = "post", [HTTP1_DELETE] = "delete"};

/* ---- writing --------------------------------------------------------------------------------------------- */

static int put(struct buf *out, const char *const *parts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        TRY(buf_append_text(out, parts[i]));
    return 0;
}

#define PUT(out, ...) put((out), (const char *const[]){__VA_ARGS__}, COUNT_OF(((const char *const[]){__VA_ARGS__})))

static int put_parameter(struct buf *out, struct bytes name, bool *is_first)
{
    for (size_t i = 0; i < COUNT_OF(arguments); i++) {
        if (!bytes_equal(name, bytes_of_text(arguments[i].name)))
            continue;
        TRY(PUT(out, *is_first ? "" : ",", "{\"name\":\"", arguments[i].name, "\",\"in\":\"query\",\"description\":\"",
                arguments[i].text, "\",\"schema\":", arguments[i].schema, "}"));
        *is_first = false;
        return 0;
    }
    return RAISE(FAULT_INTERNAL); /* an argument without a meaning: found by the tests */
}

static bool has_path(const struct front_route *route)
{
    return route->path[strlen(route->path) - 1] == '/';
}

static int put_parameters(struct buf *out, const struct front_route *route)
{
    struct bytes rest = bytes_of_text(route->args);
    bool is_first = !has_path(route);
    TRY(buf_append_text(out, "\"parameters\":["));
    if (has_path(route))
        TRY(PUT(out,
                "{\"name\":\"path\",\"in\":\"path\",\"required\":true,\"description\":\"the rest of the path, slashes "
                "included\",\"schema\":",
                TEXT, "}"));
    while (rest.n > 0) {
        size_t n = bytes_find(rest, ' ');
        TRY(put_parameter(out, bytes_head(rest, n), &is_first));
        rest = bytes_from(rest, n + 1);
    }
    return buf_append_text(out, "]");
}

static int put_body(struct buf *out, const struct front_route *route)
{
    if (route->takes == NULL)
        return 0;
    if (strcmp(route->takes, "bytes") == 0)
        return PUT(out, ",\"requestBody\":{\"content\":{\"application/octet-stream\":{}}}");
    return PUT(out,
               ",\"requestBody\":{\"required\":true,\"content\":{\"application/json\":{\"schema\":{\"$ref\":"
               "\"#/components/schemas/",
               route->takes, "\"}}}}");
}

/* The envelope with one of the named data in it. */
static int put_envelope(struct buf *out, const char *names)
{
    struct bytes rest = bytes_of_text(names);
    static const char head[] = "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"success\","
                               "\"request_id\",\"timestamp\",\"data\",\"error\"],\"properties\":{\"success\":{"
                               "\"const\":true},\"request_id\":";
    TRY(PUT(out, head, TEXT, ",\"timestamp\":", TIME, ",\"error\":{\"type\":\"null\"},\"data\":{\"anyOf\":["));
    for (bool is_first = true; rest.n > 0; is_first = false) {
        size_t n = bytes_find(rest, ' ');
        TRY(PUT(out, is_first ? "" : ",", "{\"$ref\":\"#/components/schemas/"));
        TRY(buf_append(out, bytes_head(rest, n)));
        TRY(buf_append_text(out, "\"}"));
        rest = bytes_from(rest, n + 1);
    }
    return buf_append_text(out, "]}}}");
}

static int put_responses(struct buf *out, const struct front_route *route)
{
    TRY(buf_append_text(out, ",\"responses\":{\"2XX\":{\"description\":\"done\",\"content\":{"));
    if (route->raw != NULL)
        TRY(PUT(out, "\"", route->raw, "\":{}", route->answers != NULL ? "," : ""));
    if (route->answers != NULL) {
        TRY(buf_append_text(out, "\"application/json\":{\"schema\":"));
        TRY(put_envelope(out, route->answers));
        TRY(buf_append_text(out, "}"));
    }
    if (route->method != HTTP1_GET) /* a change may need a second person */
        TRY(buf_append_text(out,
                            "}},\"202\":{\"description\":\"waits for approval\",\"content\":{\"application/json\":{"
                            "\"schema\":{\"$ref\":\"#/components/schemas/refusal\"}}"));
    return buf_append_text(
        out, "}},\"default\":{\"description\":\"not done\",\"content\":{\"application/json\":{\"schema\":{"
             "\"$ref\":\"#/components/schemas/refusal\"}}}}}");
}

static int put_route(struct buf *out, const struct front_route *route)
{
    TRY(PUT(out, "\"", methods[route->method], "\":{\"summary\":\"", route->text, "\","));
    TRY(put_parameters(out, route));
    TRY(put_body(out, route));
    TRY(put_responses(out, route));
    return buf_append_text(out, "}");
}

/* Routes of one path stand together in the table. */
static int put_paths(struct buf *out)
{
    const struct front_route *r, *before = NULL;
    TRY(buf_append_text(out, "\"paths\":{"));
    for (size_t i = 0; (r = front_route_at(i)) != NULL; before = r, i++) {
        bool is_same = before != NULL && strcmp(before->path, r->path) == 0;
        if (is_same)
            TRY(buf_append_text(out, ","));
        else
            TRY(PUT(out, before != NULL ? "}," : "", "\"", r->path, has_path(r) ? "{path}\":{" : "\":{"));
        TRY(put_route(out, r));
    }
    return buf_append_text(out, "}}");
}

static int put_schemas(struct buf *out)
{
    TRY(buf_append_text(out, ",\"components\":{\"schemas\":{"));
    for (size_t i = 0; i < COUNT_OF(schemas); i++)
        TRY(PUT(out, "\"", schemas[i].name, "\":", schemas[i].schema, ","));
    static const char head[] = "\"refusal\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":["
                               "\"success\",\"request_id\",\"timestamp\",\"data\",\"error\"],\"properties\":{"
                               "\"success\":{\"const\":false},\"request_id\":";
    static const char error[] = ",\"data\":{\"type\":\"null\"},\"error\":{\"type\":\"object\","
                                "\"additionalProperties\":false,\"required\":[\"code\",\"message\"],"
                                "\"properties\":{\"message\":";
    TRY(PUT(out, head, OR_NULL(TEXT), ",\"timestamp\":", OR_NULL(TIME), error, TEXT, ",\"code\":{\"enum\":["));
    for (unsigned i = 1; i < OUTCOME_COUNT; i++)
        TRY(PUT(out, i > 1 ? ",\"" : "\"", outcome_code(i), "\""));
    return buf_append_text(out, "]}}}}}}}");
}

int front_openapi(struct buf *out)
{
    TRY(PUT(out, "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"SecReg registry\",\"version\":\"", SECREG_VERSION,
            "\",\"description\":\"On the UNIX socket /run/secreg/socket; doc/spec/http-api.md says more.\"},"));
    TRY(put_paths(out));
    TRY(put_schemas(out));
    return buf_append_text(out, "}\n");
}
