/* Tests of yaml: the tree that a text gives, every refusal with its place, and the bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fail-alloc.h"
#include "wire/yaml.h"

/* The tree on one line: key=text, key={...}, [...]. */
static int show(struct buf *out, const struct yaml_node *n)
{
    if (n->key.n > 0) {
        TRY(buf_append(out, n->key));
        TRY(buf_append_text(out, "="));
    }
    if (n->kind == YAML_KIND_SCALAR)
        return buf_append(out, n->text);
    TRY(buf_append_text(out, n->kind == YAML_KIND_MAP ? "{" : "["));
    for (const struct yaml_node *c = n->first; c != NULL; c = c->next) {
        TRY(show(out, c));
        TRY(buf_append_text(out, c->next != NULL ? "," : ""));
    }
    return buf_append_text(out, n->kind == YAML_KIND_MAP ? "}" : "]");
}

static struct yaml_node *parsed(struct bytes text)
{
    struct yaml_node *root = NULL;
    char why[200] = "";
    if (yaml_parse(text, &root, why, sizeof why) != 0)
        fail_msg("%s", why);
    assert_non_null(root);
    return root;
}

static void assert_tree(const char *text, const char *expected)
{
    struct buf out;
    struct yaml_node *root = parsed(bytes_of_text(text));
    buf_init(&out, 4096);
    assert_int_equal(show(&out, root), 0);
    assert_true(bytes_equal(buf_view(&out), bytes_of_text(expected)));
    assert_null(yaml_node_free(root));
    buf_fini(&out);
}

static void maps_lists_and_scalars_are_read(void **state UNUSED)
{
    assert_tree("a: 1\nb:\n  - x\n  - {c: d}\n  - []\ne: {}\n", "{a=1,b=[x,{c=d},[]],e={}}");
    assert_tree("a: \"x y\"\nb: 'it''s'\nc: |\n  two\n  lines\nd: >-\n  one\n  line\n",
                "{a=x y,b=it's,c=two\nlines\n,d=one line}");
    assert_tree("# comment\na: true # bool is text\nb: ~\nc: null\nd:\n", "{a=true,b=~,c=null,d=}");
    assert_tree("{a: 1, b: [2, 3]}", "{a=1,b=[2,3]}");
    assert_tree("a: {x: 1}\nb: {x: 2}\n", "{a={x=1},b={x=2}}"); /* the same key in two maps */
    assert_tree("'<<': 1\n\"&a\": '*b'\n", "{<<=1,&a=*b}");     /* quoted, these are text */
    assert_tree("\xc3\xa4: \xe2\x82\xac\n", "{\xc3\xa4=\xe2\x82\xac}");
}

static void an_empty_text_is_an_empty_map(void **state UNUSED)
{
    assert_tree("", "{}");
    assert_tree("\n\n# nothing\n", "{}");
    assert_tree("\xef\xbb\xbf"
                "a: 1\n",
                "{a=1}"); /* a byte order mark is no text */
    struct yaml_node *root = parsed(BYTES_NONE);
    assert_int_equal(root->kind, YAML_KIND_MAP);
    assert_int_equal(root->line, 1);
    yaml_node_free(root);
}

static void document_marks_are_accepted(void **state UNUSED)
{
    assert_tree("---\na: 1\n...\n", "{a=1}");
    assert_tree("%YAML 1.1\n---\na: 1\n", "{a=1}");
}

static void nodes_know_their_place(void **state UNUSED)
{
    struct yaml_node *root = parsed(BYTES_LITERAL("a: 1\nbb:\n  - x\n  -  y\n"));
    const struct yaml_node *a = root->first, *bb = a->next, *y = bb->first->next;
    assert_int_equal(root->line, 1);
    assert_int_equal(root->column, 1);
    assert_int_equal(a->line, 1);
    assert_int_equal(a->column, 4);
    assert_int_equal(y->line, 4);
    assert_int_equal(y->column, 6);
    assert_int_equal(y->key.n, 0);
    yaml_node_free(root);
}

static void assert_bad(struct bytes text, const char *expected)
{
    struct yaml_node *root = NULL;
    char why[200] = "";
    assert_int_equal(yaml_parse(text, &root, why, sizeof why), YAML_BAD);
    assert_null(root);
    assert_string_equal(why, expected);
}

static void what_is_not_ours_is_refused(void **state UNUSED)
{
    assert_bad(BYTES_LITERAL("a: &x 1\n"), "line 1, column 4: anchors are not allowed");
    assert_bad(BYTES_LITERAL("a: &x [1]\n"), "line 1, column 4: anchors are not allowed");
    assert_bad(BYTES_LITERAL("a: &x {b: 1}\n"), "line 1, column 4: anchors are not allowed");
    assert_bad(BYTES_LITERAL("&x a: 1\n"), "line 1, column 1: anchors are not allowed");
    assert_bad(BYTES_LITERAL("a: *x\n"), "line 1, column 4: aliases are not allowed");
    assert_bad(BYTES_LITERAL("a: !!str 1\n"), "line 1, column 4: tags are not allowed");
    assert_bad(BYTES_LITERAL("a: ! 1\n"), "line 1, column 4: tags are not allowed");
    assert_bad(BYTES_LITERAL("a: !x [1]\n"), "line 1, column 4: tags are not allowed");
    assert_bad(BYTES_LITERAL("!!map {a: 1}\n"), "line 1, column 1: tags are not allowed");
    assert_bad(BYTES_LITERAL("%TAG ! tag:x,2000:\n---\na: 1\n"), "line 1, column 1: tags are not allowed");
    assert_bad(BYTES_LITERAL("a: 1\n<<: {b: 2}\n"), "line 2, column 1: merge keys are not allowed");
    assert_bad(BYTES_LITERAL("a: 1\n---\nb: 2\n"), "line 2, column 1: there is more than one document");
    assert_bad(BYTES_LITERAL("a: 1\nb: 2\na: 3\n"), "line 3, column 1: a key stands twice in one map");
    assert_bad(BYTES_LITERAL("a: {x: 1, x: 1}\n"), "line 1, column 11: a key stands twice in one map");
    assert_bad(BYTES_LITERAL("[a]: 1\n"), "line 1, column 1: a key is not a plain text");
    assert_bad(BYTES_LITERAL("? {a: b}\n: 1\n"), "line 1, column 3: a key is not a plain text");
    assert_bad(BYTES_LITERAL("'': 1\n"), "line 1, column 1: a key is empty");
    assert_bad(BYTES_LITERAL("- a\n"), "line 1, column 1: the document is not a map");
    assert_bad(BYTES_LITERAL("text\n"), "line 1, column 1: the document is not a map");
    assert_bad(BYTES_LITERAL("---\n"), "line 2, column 1: the document is not a map");
    assert_bad(BYTES_LITERAL("a: \"x\\0y\"\n"), "line 1, column 4: a text holds a NUL");
    assert_bad(BYTES_LITERAL("\"x\\0y\": 1\n"), "line 1, column 1: a text holds a NUL");
}

static void bad_bytes_are_refused_with_their_place(void **state UNUSED)
{
    assert_bad(BYTES_LITERAL("a: 1\nb: \xff\n"), "line 2, column 4: invalid leading UTF-8 octet");
    assert_bad(BYTES_LITERAL("a: \xc3"), "line 1, column 4: incomplete UTF-8 octet sequence");
    assert_bad(BYTES_LITERAL("a: \x01\n"), "line 1, column 4: control characters are not allowed");
    assert_bad(BYTES_LITERAL("a: \0\n"), "line 1, column 4: control characters are not allowed");
    assert_bad(BYTES_LITERAL("\xff\xfe"
                             "a\0"),
               "line 1, column 1: invalid leading UTF-8 octet"); /* UTF-16 */
}

static void broken_yaml_is_refused_with_its_place(void **state UNUSED)
{
    assert_bad(BYTES_LITERAL("a: [1, 2\n"), "line 2, column 1: did not find expected ',' or ']'");
    assert_bad(BYTES_LITERAL("a: 1\n b: 2\n"), "line 2, column 3: mapping values are not allowed in this context");
    assert_bad(BYTES_LITERAL("a: 'x\n"), "line 2, column 1: found unexpected end of stream");
    assert_bad(BYTES_LITERAL("a:\n\t- 1\n"), "line 2, column 1: found character that cannot start any token");
}

static int parse_nested(size_t depth)
{
    char text[200] = "", why[200] = "";
    struct yaml_node *root = NULL;
    for (size_t i = 0; i < depth; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "{a: ");
    for (size_t i = 0; i < depth; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "}");
    int r = yaml_parse(bytes_of_text(text), &root, why, sizeof why);
    assert_true(r == 0 || strstr(why, "there are too many levels") != NULL);
    yaml_node_free(root);
    return r;
}

static void depth_has_a_maximum(void **state UNUSED)
{
    assert_int_equal(parse_nested(YAML_DEPTH_MAX_COUNT), 0);
    assert_int_equal(parse_nested(YAML_DEPTH_MAX_COUNT + 1), YAML_BAD);
}

/* `count` keys under the root, which is a node itself. */
static int parse_many(size_t count)
{
    struct buf b;
    struct yaml_node *root = NULL;
    char why[200] = "";
    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(buf_print(&b, "k%zx:\n", i), 0);
    int r = yaml_parse(buf_view(&b), &root, why, sizeof why);
    assert_true(r == 0 || strstr(why, "there are too many values") != NULL);
    yaml_node_free(root);
    buf_fini(&b);
    return r;
}

static void nodes_have_a_maximum(void **state UNUSED)
{
    assert_int_equal(parse_many(YAML_NODES_MAX_COUNT - 1), 0);
    assert_int_equal(parse_many(YAML_NODES_MAX_COUNT), YAML_BAD);
}

static void keys_have_a_maximum(void **state UNUSED)
{
    char text[YAML_KEY_MAX_BYTES + 10];
    memset(text, 'k', sizeof text);
    memcpy(text + YAML_KEY_MAX_BYTES, ": 1\n", 4);
    yaml_node_free(parsed(bytes_of(text, YAML_KEY_MAX_BYTES + 4)));
    memcpy(text + YAML_KEY_MAX_BYTES, "k: 1\n", 5);
    assert_bad(bytes_of(text, YAML_KEY_MAX_BYTES + 5), "line 1, column 1: a key is too long");
}

static void text_has_a_maximum(void **state UNUSED)
{
    static char text[YAML_TEXT_MAX_BYTES + 1];
    memset(text, '\n', sizeof text);
    memcpy(text, "a: 1", 4);
    yaml_node_free(parsed(bytes_of(text, YAML_TEXT_MAX_BYTES)));
    assert_bad(BYTES_OF(text), "line 1, column 1: the text is too long");
}

static void a_short_room_for_why_is_kept_to(void **state UNUSED)
{
    struct yaml_node *root;
    char why[8] = "abcdefg";
    assert_int_equal(yaml_parse(BYTES_LITERAL("- 1"), &root, why, 5), YAML_BAD);
    assert_string_equal(why, "line");
    assert_int_equal(why[5], 'f');
}

static void memory_failure_is_passed_on(void **state UNUSED)
{
    static const char *const texts[] = {"", "a: 1\nb: {c: d, e: [f]}\n"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        int failed = 0;
        EACH_ALLOC_FAILURE({
            struct yaml_node *root = NULL;
            char why[200];
            int r = yaml_parse(bytes_of_text(texts[i]), &root, why, sizeof why);
            assert_true(r == 0 || r == -ENOMEM);
            assert_true((r == 0) == (root != NULL));
            failed += r != 0;
            yaml_node_free(root);
        });
        assert_int_equal(failed, i == 0 ? 1 : 7); /* six nodes and the buckets of their keys */
    }
    assert_null(yaml_node_free(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_lists_and_scalars_are_read),
        cmocka_unit_test(an_empty_text_is_an_empty_map),
        cmocka_unit_test(document_marks_are_accepted),
        cmocka_unit_test(nodes_know_their_place),
        cmocka_unit_test(what_is_not_ours_is_refused),
        cmocka_unit_test(bad_bytes_are_refused_with_their_place),
        cmocka_unit_test(broken_yaml_is_refused_with_its_place),
        cmocka_unit_test(depth_has_a_maximum),
        cmocka_unit_test(nodes_have_a_maximum),
        cmocka_unit_test(keys_have_a_maximum),
        cmocka_unit_test(text_has_a_maximum),
        cmocka_unit_test(a_short_room_for_why_is_kept_to),
        cmocka_unit_test(memory_failure_is_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
