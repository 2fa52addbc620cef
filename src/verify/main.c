/*
 * main - see main.h. What is named on the command line is opened first; then the process gives up every right but
 * reading the folder of the log, and only then reads a byte of it.
 */
#include "verify/main.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/code.h"
#include "confine/confine.h"
#include "os/file.h"
#include "trail/proof.h"
#include "verify/verify.h"

enum { EXIT_USAGE = 64, EXIT_UNREADABLE = 66 };

static const char usage[] =
    "usage: secreg-verify [--json] [--key KEY [--checkpoint FILE [--witness KEY] [--incremental]]] [--seed FILE]\n"
    "                     [--database FILE] FOLDER | FILE\n"
    "       secreg-verify [--json] --key KEY [--checkpoint FILE] --proof FILE\n"
    "Checks a trail: FOLDER holds its log (trail-* beside registry.db), FILE is an export of its records.\n"
    "  --key KEY          what signatures in it are checked with: the key, or a file that holds it\n"
    "  --checkpoint FILE  does it contain what was stated and signed then, and kept elsewhere?\n"
    "  --proof FILE       check one proof, without the trail: that a record is in it, or that it extends the "
    "checkpoint\n"
    "  --seed FILE        was each epoch written in the time of its keys? FILE holds the seed that 'sreg init' told, "
    "and\n"
    "                     those of 'sreg restore', each on a line\n"
    "  --witness KEY      the checkpoint must have a good signature of this witness as well\n"
    "  --database FILE    is what it holds what the newest change in the trail left? Nobody may serve it\n"
    "  --incremental      what is in files before that of the checkpoint was verified then, and is not read again\n"
    "  --json             the verdicts as one JSON object\n"
    "Status: 0 all is well, else the sum of 1 integrity, 2 order, 4 tail, 8 authenticity, 16 forward, 32 state; 64 "
    "wrong usage, "
    "66 not readable.\n";

struct line {
    bool is_json, is_incremental;
    const char *checkpoint, *key, *witness, *proof, *seed, *database, *path;
};

static int complain(int status, const char *name, const char *why)
{
    fprintf(stderr, "secreg-verify: %s%s%s\n", name, *name != '\0' ? ": " : "", why);
    return status;
}

static int read_line(int argc, char **argv, struct line *ret_line)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'},
                                            {"checkpoint", required_argument, NULL, 'c'},
                                            {"key", required_argument, NULL, 'k'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'V'},
                                            {"proof", required_argument, NULL, 'p'},
                                            {"incremental", no_argument, NULL, 'i'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"witness", required_argument, NULL, 'w'},
                                            {"database", required_argument, NULL, 'd'},
                                            {0}};
    int c;
    while ((c = getopt_long(argc, argv, "j", options, NULL)) != -1) {
        if (c == 'h' || c == 'V') {
            fputs(c == 'h' ? usage : "secreg-verify " SECREG_VERSION "\n", stdout);
            return -1;
        }
        if (c == 'j')
            ret_line->is_json = true;
        else if (c == 'i')
            ret_line->is_incremental = true;
        else if (c == 'c')
            ret_line->checkpoint = optarg;
        else if (c == 'k')
            ret_line->key = optarg;
        else if (c == 's')
            ret_line->seed = optarg;
        else if (c == 'd')
            ret_line->database = optarg;
        else if (c == 'w')
            ret_line->witness = optarg;
        else if (c == 'p')
            ret_line->proof = optarg;
        else
            return EXIT_USAGE;
    }
    if (argc - optind != (ret_line->proof == NULL))
        return complain(EXIT_USAGE, "", "one folder or file is wanted, or one proof; see --help");
    if ((ret_line->checkpoint != NULL || ret_line->proof != NULL) && ret_line->key == NULL)
        return complain(EXIT_USAGE, "", ret_line->proof != NULL ? "--proof needs --key" : "--checkpoint needs --key");
    if (ret_line->database != NULL && ret_line->proof != NULL)
        return complain(EXIT_USAGE, "", "--database is for a trail, not for one proof");
    if (ret_line->witness != NULL && ret_line->checkpoint == NULL)
        return complain(EXIT_USAGE, "", "--witness needs --checkpoint");
    if (ret_line->seed != NULL && ret_line->proof != NULL)
        return complain(EXIT_USAGE, "", "--seed is for a trail, not for one proof");
    if (ret_line->is_incremental && (ret_line->checkpoint == NULL || ret_line->proof != NULL))
        return complain(EXIT_USAGE, "", "--incremental needs --checkpoint, and a trail");
    ret_line->path = argv[optind]; /* NULL: there is a proof */
    return 0;
}

/* ---- what it is compared with ---------------------------------------------------------------------------- */

static int read_small(const char *name, struct buf *out)
{
    int r = file_read_path(name, out);
    return r == 0 ? 0 : complain(EXIT_UNREADABLE, name, r == FILE_ABSENT ? "does not exist" : fault_text(r));
}

/* The key itself, or a file that holds it. read: of its type. */
static int read_key(const char *given, bool (*read)(struct bytes text, struct checkpoint_key *ret_key),
                    struct checkpoint_key *ret_key)
{
    struct buf text;
    if (read(bytes_of_text(given), ret_key))
        return 0;
    buf_init(&text, CHECKPOINT_KEY_MAX_BYTES + 1);
    int status = read_small(given, &text);
    struct bytes line = bytes_head(buf_view(&text), bytes_find(buf_view(&text), '\n'));
    if (status == 0 && !read(line, ret_key))
        status = complain(EXIT_UNREADABLE, given,
                          read == cosign_key_read ? "holds no key of a witness" : "holds no key of a trail");
    buf_fini(&text);
    return status;
}

/* Did the witness sign it? Returns 0, a result of cosign_read(), or an exit status. */
static int read_witness(const char *given, struct bytes note, struct verify *v)
{
    struct checkpoint_key key;
    uint64_t time_s;
    int status = read_key(given, cosign_key_read, &key);
    if (status != 0)
        return status;
    int r = cosign_read(note, &key, &time_s);
    if (r == 0)
        verify_witness(v, key.name, (int64_t)time_s * US_PER_S);
    return r;
}

/* A note whose signatures are not those of the keys is bad, and states nothing. */
static int read_anchor(const struct line *line, struct verify *v)
{
    struct checkpoint_key key;
    struct checkpoint anchor = {0};
    struct buf note;
    int status = read_key(line->key, checkpoint_key_read, &key);
    if (status != 0)
        return status;
    verify_key(v, &key);
    if (line->checkpoint == NULL)
        return 0;
    buf_init(&note, CHECKPOINT_NOTE_MAX_BYTES);
    status = read_small(line->checkpoint, &note);
    int r = status == 0 ? checkpoint_read(buf_view(&note), &key, &anchor) : 0;
    if (status == 0 && r == 0 && line->witness != NULL)
        r = read_witness(line->witness, buf_view(&note), v);
    buf_fini(&note);
    if (r == EXIT_UNREADABLE || r < 0)
        return r < 0 ? complain(EXIT_UNREADABLE, line->checkpoint, fault_text(r)) : r;
    if (r == CHECKPOINT_BAD)
        return complain(EXIT_UNREADABLE, line->checkpoint, "holds no checkpoint");
    if (status == 0 && r == 0)
        verify_anchor(v, &anchor, VERIFY_OK);
    else if (status == 0)
        v->authenticity = VERIFY_BAD; /* it states nothing */
    return status;
}

static int read_seeds(const char *name, struct verify *v)
{
    struct epoch_seed seed;
    struct buf text;
    buf_init_wiping(&text, (VERIFY_SEEDS_MAX_COUNT + 1) * EPOCH_SEED_MAX_BYTES);
    int status = read_small(name, &text);
    bool is_good = status == 0;
    for (struct bytes rest = buf_view(&text); is_good && rest.n > 0;) {
        struct bytes line = bytes_head(rest, bytes_find(rest, '\n'));
        is_good = epoch_seed_read(line, &seed) && verify_seed(v, &seed);
        rest = bytes_from(rest, MIN_OF(rest.n, line.n + 1));
    }
    if (status == 0 && (!is_good || v->epochs.seeds_count == 0))
        status = complain(EXIT_UNREADABLE, name, "holds no seeds of a trail, or too many");
    secret_wipe(&seed, sizeof seed);
    buf_fini(&text);
    return status;
}

/* ---- reading --------------------------------------------------------------------------------------------- */

/* Root keeps no right to read what belongs to others, so it becomes the owner of the folder. owner: NULL: stay. */
static int confine(const char *folder, const struct stat *owner, const char *database)
{
    struct confine_params params = {.uid = (uid_t)-1, .gid = (gid_t)-1};
    if (owner != NULL && geteuid() == 0) {
        params.uid = owner->st_uid;
        params.gid = owner->st_gid;
    }
    struct confine_report report;
    params.places[CONFINE_STATE] = folder;
    params.places[CONFINE_PEER] = database;
    const struct confine_profile *profile = confine_find("secreg-verify");
    return profile == NULL ? RAISE(FAULT_CONFINE) : confine_enter(profile, &params, &report);
}

static int read_all(const struct line *line, struct verify *v)
{
    SCOPED(file_drop_fd) int fd = open(line->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return RAISE(-errno);
    bool is_folder = S_ISDIR(st.st_mode);
    static char whole[PATH_MAX], database[PATH_MAX];
    bool has_database = line->database != NULL;
    if ((is_folder && realpath(line->path, whole) == NULL) ||
        (has_database && realpath(line->database, database) == NULL))
        return RAISE(-errno);
    TRY(confine(is_folder ? whole : NULL, is_folder ? &st : NULL, has_database ? database : NULL));
    if (has_database)
        verify_sees_states(v);
    if (line->is_incremental)
        verify_skip(v);
    TRY(is_folder ? verify_folder(v, fd) : verify_export(v, fd));
    TRY(verify_end(v));
    return has_database ? verify_database(v, database) : 0;
}

/* ---- verdicts -------------------------------------------------------------------------------------------- */

static const char *text_of(enum verify_verdict verdict, const char *when_unknown)
{
    return verdict == VERIFY_OK ? "ok" : verdict == VERIFY_BAD ? "bad" : when_unknown;
}

static void print_signed(const struct verify *v, unsigned long long size)
{
    char time[CLOCK_TEXT_BYTES];
    clock_wall_text((struct wall_time){v->seen.us}, time);
    printf("authenticity: %s", text_of(v->authenticity, v->has_key ? "not checked" : "not checked, there is no key"));
    if (v->has_key && v->seen.size > 0)
        printf(", signed up to record %llu at %s; %llu more follow", (unsigned long long)v->seen.size, time,
               size - v->seen.size);
    else if (v->has_key && v->why == NULL)
        printf(", nothing in it is signed");
    putchar('\n');
}

static void print_witness(const struct verify *v)
{
    char time[CLOCK_TEXT_BYTES];
    clock_wall_text((struct wall_time){v->witness_us}, time);
    if (v->witness[0] != '\0')
        printf("witnessed: by %s at %s\n", v->witness, time);
}

static void print_forward(const struct verify *v)
{
    const struct verify_epochs *e = &v->epochs;
    printf("forward: %s", text_of(v->forward, e->seeds_count > 0 ? "not checked" : "not checked, there is no seed"));
    if (e->seeds_count > 0)
        printf(
            ", %llu records sealed in %llu epochs; not sealed: %llu behind the last seal of a process that ended, %llu "
            "without a seed, %llu in the epoch that runs",
            (unsigned long long)e->sealed, (unsigned long long)e->count, (unsigned long long)e->lost,
            (unsigned long long)e->uncovered, (unsigned long long)(v->check.tree.size - e->now.first));
    putchar('\n');
}

static void print_state(const struct verify *v)
{
    const char *words = v->state == VERIFY_OK    ? "ok, the database holds what the newest change in the trail left"
                        : v->state == VERIFY_BAD ? "bad, the database holds something else than the newest change left"
                        : v->sees_states         ? "not checked"
                                                 : "not checked, there is no database";
    printf("state: %s\n", words);
}

static void print_text(const struct verify *v, const char *root)
{
    unsigned long long size = v->check.tree.size, anchored = v->anchor.size;
    if (v->has_skipped)
        printf("not read again: records before %llu\n", (unsigned long long)v->first);
    else if (v->pruned.is_stated)
        printf("removed: records before %llu, as record %llu states\n", (unsigned long long)v->first,
               (unsigned long long)v->pruned.seq);
    printf("records: %llu\nroot: %s\nintegrity: %s\norder: %s\n", size, root, text_of(v->integrity, "not checked"),
           text_of(v->order, "not checked"));
    if (v->tail == VERIFY_OK)
        printf("tail: ok, anchored up to record %llu; %llu more follow\n", anchored, size - anchored);
    else if (v->is_anchored && v->pruned.is_stated && anchored < v->first)
        printf("tail: bad, the checkpoint is of %llu records, which were removed\n", anchored);
    else if (v->is_anchored)
        printf("tail: bad, it is not what the checkpoint of %llu records states, or was cut\n", anchored);
    else
        printf("tail: not anchored\n");
    print_witness(v);
    print_signed(v, size);
    print_forward(v);
    print_state(v);
    if (v->why != NULL)
        printf("first bad: record %llu %s; nothing behind it was looked at\n", size, v->why);
}

static void print_json(const struct verify *v, const char *root)
{
    char time[CLOCK_TEXT_BYTES], witnessed[CLOCK_TEXT_BYTES];
    clock_wall_text((struct wall_time){v->seen.us}, time);
    printf("{\"records\":%llu,\"root\":\"%s\",\"integrity\":\"%s\",\"order\":\"%s\",\"tail\":\"%s\",\"anchored\":",
           (unsigned long long)v->check.tree.size, root, text_of(v->integrity, "unknown"), text_of(v->order, "unknown"),
           text_of(v->tail, "not-anchored"));
    if (v->is_anchored)
        printf("%llu", (unsigned long long)v->anchor.size);
    else
        printf("null");
    clock_wall_text((struct wall_time){v->witness_us}, witnessed);
    if (v->witness[0] != '\0')
        printf(",\"witness\":{\"name\":\"%s\",\"time\":\"%s\"}", v->witness, witnessed);
    else
        printf(",\"witness\":null");
    printf(",\"first\":%llu,\"removed\":%s,\"authenticity\":\"%s\",\"signed\":", (unsigned long long)v->first,
           v->pruned.is_stated ? "true" : "false", text_of(v->authenticity, "unknown"));
    if (v->seen.size > 0)
        printf("{\"records\":%llu,\"time\":\"%s\"}", (unsigned long long)v->seen.size, time);
    else
        printf("null");
    printf(",\"forward\":\"%s\",\"sealed\":%llu,\"epochs\":%llu,\"lost\":%llu,\"without_seed\":%llu,"
           "\"running\":%llu",
           text_of(v->forward, "unknown"), (unsigned long long)v->epochs.sealed, (unsigned long long)v->epochs.count,
           (unsigned long long)v->epochs.lost, (unsigned long long)v->epochs.uncovered,
           (unsigned long long)(v->check.tree.size - v->epochs.now.first));
    printf(",\"state\":\"%s\"", text_of(v->state, "unknown"));
    printf(",\"first_bad\":");
    if (v->why != NULL)
        printf("{\"seq\":%llu,\"why\":\"%s\"}}\n", (unsigned long long)v->check.tree.size, v->why);
    else
        printf("null}\n");
}

static int print(const struct line *line, const struct verify *v)
{
    struct trail_head head;
    char root[2 * DIGEST_BYTES + 1];
    if (trail_check_head(&v->check, &head) != 0)
        return complain(EXIT_UNREADABLE, line->path, "its head cannot be computed");
    code_hex_text(BYTES_OF(head.root), root);
    if (line->is_json)
        print_json(v, root);
    else
        print_text(v, root);
    if (fflush(stdout) != 0 || ferror(stdout) != 0)
        return complain(EXIT_UNREADABLE, "", "the verdicts cannot be written");
    return (int)verify_bits(v);
}

/* Both files are read before the process gives up its rights. */
static int check_proof(const struct line *line, const struct verify *v)
{
    struct buf text;
    if (line->checkpoint != NULL && !v->is_anchored)
        return complain(VERIFY_BIT_AUTHENTICITY, line->checkpoint, "has no good signature of the key");
    buf_init(&text, PROOF_MAX_BYTES);
    int status = read_small(line->proof, &text);
    int r = status == 0 ? confine(NULL, NULL, NULL) : 0;
    if (status == 0 && r == 0)
        r = verify_proof(buf_view(&text), &v->key, v->is_anchored ? &v->anchor : NULL, line->is_json);
    buf_fini(&text);
    if (r == VERIFY_NO_PROOF)
        return complain(EXIT_UNREADABLE, line->proof,
                        "holds no proof, or one that a trail extends a checkpoint, which is to be named");
    return r < 0 ? complain(EXIT_UNREADABLE, line->proof, fault_text(r)) : status != 0 ? status : r;
}

int verify_main(int argc, char **argv)
{
    static struct verify v; /* a tree is too large for the stack */
    struct line line = {0};
    int status = read_line(argc, argv, &line);
    if (status != 0)
        return status < 0 ? 0 : status;
    verify_init(&v);
    if (crypt_start() < 0)
        return complain(EXIT_UNREADABLE, "", "the cryptographic library does not start");
    if (line.key != NULL)
        status = read_anchor(&line, &v);
    if (status != 0)
        return status;
    if (line.proof != NULL)
        return check_proof(&line, &v);
    if (line.seed != NULL)
        status = read_seeds(line.seed, &v);
    int r = status == 0 ? read_all(&line, &v) : 0;
    if (status == 0)
        status = r < 0 ? complain(EXIT_UNREADABLE, line.path, fault_text(r)) : print(&line, &v);
    verify_fini(&v);
    return status;
}
