/*
 * cp: the one program in the image, run by the init container that copies the payload into the app's volume.
 *
 * The image has no shell and no C library, so this is linked statically. It takes what manifests pass to cp:
 *
 *     cp [-r|-R|-a] [-f] [-p] [-v] [-t DIRECTORY] [--] SOURCE... [DESTINATION]
 *
 * and leaves behind what GNU cp leaves behind: -r gives (mode & ~umask), -a and -p give modes, times and, where the
 * process may, owners; symlinks are kept as symlinks; a directory that exists is copied into. It needs no capability,
 * no particular user and no writable place other than the destination.
 *
 * Other than GNU cp, deliberately:
 *   - a file, or a directory that was not there before, appears under its name only when it is complete: it is made
 *     under a temporary name beside it, then renamed. What an earlier run left is thereby replaced, links and read-only
 *     files too, so that a restarted init container succeeds;
 *   - the first failure ends the copy with one line on stderr that says what to do, and status 1; what is incomplete
 *     is removed;
 *   - a destination directory that belongs to somebody else (the root of a volume) may keep its mode and times;
 *   - no other options; no devices, pipes or sockets; no extended attributes, ACLs or security contexts; hard links
 *     and holes become ordinary files; no questions and no backups.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

enum side { SOURCE, DESTINATION };

static bool recursive, preserve, verbose;
static mode_t mask;
static char source[PATH_MAX], destination[PATH_MAX]; /* what is being copied, as people are told */
static char temporary[NAME_MAX + 1];                 /* the name that whatever is incomplete has ... */
static int staged = -1;                              /* ... in this directory; -1: nothing is incomplete */
static char buffer[1 << 17];

/* Removes a file or a directory with all that is in it, as far as that is possible. */
static void discard(int folder, const char *name)
{
    struct dirent *entry;
    DIR *list;

    if (unlinkat(folder, name, 0) == 0 || errno != EISDIR)
        return;
    fchmodat(folder, name, 0700, 0);
    int inside = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (inside >= 0 && (list = fdopendir(inside))) {
        while ((entry = readdir(list)))
            if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
                discard(inside, entry->d_name);
        closedir(list);
    }
    unlinkat(folder, name, AT_REMOVEDIR);
}

/* Ends the process with one line on stderr, whatever bytes the names in it are made of. */
static _Noreturn void fail(const char *format, ...)
{
    static char line[4 * PATH_MAX];
    va_list arguments;

    if (staged >= 0)
        discard(staged, temporary);
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = '?';
    fflush(stdout);
    dprintf(STDERR_FILENO, "cp: %s\n", line);
    exit(1);
}

/* Ends the process for the reason in errno, with what a person can do about it. */
static _Noreturn void fail_at(enum side side, const char *doing)
{
    const char *path = side == SOURCE ? source : destination, *reason = strerror(errno);

    switch (errno) {
    case ENOSPC:
    case EDQUOT:
        fail("cannot %s '%s': %s: the volume is too small; raise its size limit (sizeLimit of the emptyDir; "
             "volumeLimitSize in an Instrumentation resource)", doing, path, reason);
    case EROFS:
        fail("cannot %s '%s': %s: mount a volume there, without readOnly", doing, path, reason);
    case EACCES:
    case EPERM:
        if (side == SOURCE)
            fail("cannot %s '%s': %s: user %u may not read it; change the modes of the source or runAsUser",
                 doing, path, reason, (unsigned)geteuid());
        fail("cannot %s '%s': %s: user %u may not write there; make it writable (fsGroup) or change runAsUser",
             doing, path, reason, (unsigned)geteuid());
    case ENOENT:
        if (side == SOURCE)
            fail("cannot %s '%s': %s: check the path of the source", doing, path, reason);
        fail("cannot %s '%s': %s: mount the volume, or make the directory that is to hold it", doing, path, reason);
    case ENOTDIR:
        fail("cannot %s '%s': %s: a part of the path is a file; check the path", doing, path, reason);
    case EISDIR:
        fail("cannot %s '%s': %s: remove the directory, or choose another destination", doing, path, reason);
    case EFBIG:
        fail("cannot %s '%s': %s: raise the limit on file sizes (ulimit -f)", doing, path, reason);
    default:
        fail("cannot %s '%s': %s", doing, path, reason);
    }
}

/* Appends "/name" to a path; returns the length to cut it back to afterwards. */
static size_t append(char *path, const char *name)
{
    size_t length = strlen(path);
    const char *slash = length && path[length - 1] == '/' ? "" : "/";

    if (length + strlen(slash) + strlen(name) >= PATH_MAX)
        fail("the path '%s/%s' is too long: choose a shorter destination", path, name);
    strcpy(stpcpy(path + length, slash), name);
    return length;
}

static void assign(char *path, const char *value)
{
    if (strlen(value) >= PATH_MAX)
        fail("the path '%s' is too long", value);
    strcpy(path, value);
}

/* Gives times, owner and mode, in the order that needs the fewest rights. What belongs to somebody else keeps its own;
 * without the owner the mode goes without its set-uid, set-gid and sticky bits, which would mean somebody else. */
static void give_attributes(int to, const char *as, const struct stat *st)
{
    struct timespec times[2] = {st->st_atim, st->st_mtim};
    mode_t mode = st->st_mode & 07777;

    if (utimensat(to, as, times, AT_SYMLINK_NOFOLLOW) && errno != EPERM)
        fail_at(DESTINATION, "set the times of");
    if (fchownat(to, as, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW)) {
        if (errno != EPERM && errno != EINVAL)
            fail_at(DESTINATION, "set the owner of");
        (void)!fchownat(to, as, (uid_t)-1, st->st_gid, AT_SYMLINK_NOFOLLOW);
        mode &= 0777;
    }
    if (!S_ISLNK(st->st_mode) && fchmodat(to, as, mode, 0) && errno != EPERM)
        fail_at(DESTINATION, "set the mode of");
}

/* The functions below copy `name` in the directory `from` to `as`, which is not there yet, in the directory `to`. */

static void copy_file(int from, const char *name, int to, const char *as, const struct stat *st)
{
    ssize_t got, written;
    off_t copied = 0;
    int in = openat(from, name, O_RDONLY);

    if (in < 0)
        fail_at(SOURCE, "read");
    /* The kernel takes the umask off. With -p nobody else looks inside before the owner is right. */
    int out = openat(to, as, O_WRONLY | O_CREAT | O_EXCL, preserve ? 0600 : st->st_mode & 0777);
    if (out < 0)
        fail_at(DESTINATION, "write");
    while ((got = read(in, buffer, sizeof buffer)) > 0) {
        for (ssize_t done = 0; done < got; done += written)
            if ((written = write(out, buffer + done, (size_t)(got - done))) < 0)
                fail_at(DESTINATION, "write");
        if ((copied += got) == st->st_size)
            break;
    }
    if (got < 0)
        fail_at(SOURCE, "read");
    close(in);
    if (close(out)) /* a network file system says only now that there was no space */
        fail_at(DESTINATION, "write");
}

static void copy_link(int from, const char *name, int to, const char *as)
{
    char target[PATH_MAX];
    ssize_t length = readlinkat(from, name, target, sizeof target - 1);

    if (length < 0)
        fail_at(SOURCE, "read");
    target[length] = 0;
    if (symlinkat(target, to, as))
        fail_at(DESTINATION, "write");
}

static void copy(int from, const char *name, int to, const char *as, const struct stat *st);

/* Here `as` is there: `there` is its state, `made` says that it was made for this copy. */
static void copy_directory(int from, const char *name, int to, const char *as, const struct stat *st,
                           const struct stat *there, bool made)
{
    struct dirent *entry;
    struct stat inner;
    mode_t now = there->st_mode & 07777, final = now;

    /* Entries can be made in it whatever the umask, and whatever mode an earlier run gave it. */
    if ((now & 0700) != 0700 && fchmodat(to, as, now | 0700, 0) == 0)
        now |= 0700;
    int in = openat(from, name, O_RDONLY | O_DIRECTORY), out = openat(to, as, O_PATH | O_DIRECTORY);
    DIR *list = in < 0 ? NULL : fdopendir(in);
    if (!list)
        fail_at(SOURCE, "read");
    if (out < 0)
        fail_at(DESTINATION, "open");
    while (errno = 0, (entry = readdir(list))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        size_t source_length = append(source, entry->d_name);
        size_t destination_length = append(destination, entry->d_name);
        if (fstatat(in, entry->d_name, &inner, AT_SYMLINK_NOFOLLOW))
            fail_at(SOURCE, "read");
        copy(in, entry->d_name, out, entry->d_name, &inner);
        source[source_length] = destination[destination_length] = 0;
    }
    if (errno)
        fail_at(SOURCE, "read");
    closedir(list);
    close(out);

    if (preserve)
        return give_attributes(to, as, st);
    if (made) /* what the kernel took over from the parent (set-gid) stays */
        final = (now & S_ISGID) | (st->st_mode & 01777 & ~mask);
    if (final != now && fchmodat(to, as, final, 0))
        fail_at(DESTINATION, "set the mode of");
}

static void copy(int from, const char *name, int to, const char *as, const struct stat *st)
{
    struct stat there;
    bool whole = staged < 0; /* not a part of something incomplete */
    const char *place = whole ? temporary : as;

    if (whole && S_ISDIR(st->st_mode) && fstatat(to, as, &there, AT_SYMLINK_NOFOLLOW) == 0) {
        if (!S_ISDIR(there.st_mode))
            fail("cannot copy the directory '%s' to '%s': there is a file or link of that name; remove it",
                 source, destination);
        return copy_directory(from, name, to, as, st, &there, false);
    }
    if (whole) {
        discard(to, temporary);
        staged = to;
    }
    if (S_ISDIR(st->st_mode)) {
        if (mkdirat(to, place, (st->st_mode & 0755) | 0700) || fstatat(to, place, &there, AT_SYMLINK_NOFOLLOW))
            fail_at(DESTINATION, "make");
        copy_directory(from, name, to, place, st, &there, true);
    } else {
        if (S_ISREG(st->st_mode))
            copy_file(from, name, to, place, st);
        else if (S_ISLNK(st->st_mode))
            copy_link(from, name, to, place);
        else
            fail("cannot copy '%s': it is no file, directory or symlink; remove it from the source", source);
        if (preserve)
            give_attributes(to, place, st);
    }
    if (whole) {
        if (renameat(to, temporary, to, as))
            fail_at(DESTINATION, "write");
        staged = -1;
    }
    if (verbose)
        printf("'%s' -> '%s'\n", source, destination);
}

static void refuse_into_itself(const char *folder)
{
    static char from[PATH_MAX], into[PATH_MAX];

    if (!realpath(source, from))
        fail_at(SOURCE, "read");
    if (!realpath(folder, into))
        fail_at(DESTINATION, "make");
    size_t length = strlen(from);
    if (!strncmp(from, into, length) && (into[length] == '/' || !into[length] || length == 1))
        fail("cannot copy the directory '%s' into itself, '%s': choose a destination outside it", source, destination);
}

/* Cuts a path back to the directory it is in; returns the last name in it: empty for the root. */
static const char *split(char *path)
{
    static char name[PATH_MAX];
    char *slash;

    for (size_t length = strlen(path); length > 1 && path[length - 1] == '/'; length--)
        path[length - 1] = 0;
    if (!(slash = strrchr(path, '/'))) {
        strcpy(name, path);
        strcpy(path, ".");
    } else {
        strcpy(name, slash + 1);
        slash[slash == path] = 0;
    }
    return name;
}

/* Copies one source of the command line, into the target if that is a directory, else as the target. */
static void copy_argument(const char *argument, const char *target)
{
    static char folder[PATH_MAX];
    struct stat st, there;

    assign(source, argument);
    assign(destination, target);
    /* As everywhere: -r copies a link as a link, unless a slash stands behind it. */
    if (recursive ? lstat(source, &st) : stat(source, &st))
        fail_at(SOURCE, "read");
    if (S_ISDIR(st.st_mode) && !recursive)
        fail("'%s' is a directory: add -r", source);

    bool into = stat(target, &there) == 0 && S_ISDIR(there.st_mode);
    assign(folder, into ? argument : target);
    const char *name = split(folder);
    if (into) {
        assign(folder, target);
        if (!*name || !strcmp(name, ".") || !strcmp(name, "..")) { /* its contents */
            if (S_ISDIR(st.st_mode))
                refuse_into_itself(folder);
            return copy_directory(AT_FDCWD, argument, AT_FDCWD, target, &st, &there, false);
        }
        append(destination, name);
    } else if (!S_ISDIR(st.st_mode) && target[strlen(target) - 1] == '/')
        fail("'%s' is not a directory: make it, or leave out the slash at the end", target);
    if (S_ISDIR(st.st_mode))
        refuse_into_itself(folder);
    int to = open(folder, O_PATH | O_DIRECTORY);
    if (to < 0)
        fail_at(DESTINATION, "make");
    copy(AT_FDCWD, argument, to, name, &st);
    close(to);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"recursive", no_argument, NULL, 'r'}, {"archive", no_argument, NULL, 'a'},
        {"force", no_argument, NULL, 'f'},     {"verbose", no_argument, NULL, 'v'},
        {"target-directory", required_argument, NULL, 't'}, {NULL, 0, NULL, 0},
    };
    const char *target = NULL;
    struct utsname host;
    struct stat st;
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, ":rRafpvt:", options, NULL)) != -1) {
        switch (option) {
        case 'a':
            recursive = preserve = true;
            break;
        case 'r':
        case 'R':
            recursive = true;
            break;
        case 'p':
            preserve = true;
            break;
        case 'v':
            verbose = true;
            break;
        case 'f': /* what is in the way is always replaced */
            break;
        case 't':
            target = optarg;
            break;
        case ':':
            fail("the option -t needs a directory after it");
        default:
            if (optopt)
                fail("unknown option '-%c': this cp takes -r, -R, -a, -f, -p, -v, -t DIRECTORY", optopt);
            fail("unknown option '%s': this cp takes -r, -R, -a, -f, -p, -v, -t DIRECTORY", argv[optind - 1]);
        }
    }
    argv += optind;
    argc -= optind;
    bool several = target || argc > 2;
    if (!target && argc > 1)
        target = argv[--argc];
    if (!target || argc < 1 || !*target)
        fail("nothing to copy: say cp -r SOURCE... DESTINATION");
    if (several && (stat(target, &st) || !S_ISDIR(st.st_mode)))
        fail("'%s' is not a directory: make it first, or copy one source", target);

    signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is then an error like others */
    mask = umask(0);
    umask(mask);
    uname(&host);
    /* Two copies into one volume do not meet; a restarted container (the same host, the same pid) replaces what it left. */
    snprintf(temporary, sizeof temporary, ".cp-%s-%d", host.nodename, (int)getpid());
    for (int i = 0; i < argc; i++)
        copy_argument(argv[i], target);
    if (fflush(stdout))
        fail("cannot write to the standard output: %s", strerror(errno));
    return 0;
}
