/* SPDX-License-Identifier: BSD-3-Clause */
/* Following a reference without being led astray.
 *
 * The name is made absolute and all its symbolic links are resolved; the
 * result must lie in an allowed directory; then that very path is walked
 * from the root with links refused, so that nobody can swap a link in
 * between the check and the open.
 *
 * Linux has openat2 with RESOLVE_BENEATH, which does not do instead: it
 * refuses absolute names and links, and ways that lead out and back in,
 * which are fine here; it knows one directory, not several; and it cannot
 * say where a name leads, which the message has to.  With
 * RESOLVE_NO_SYMLINKS it could replace the walk alone, which would stay for
 * kernels and sandboxes that have no openat2.
 */

#include "reference.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"
#include "options.h"
#include "source/file.h"
#include "source/source.h"
#include "util/case-names.h"
#include "util/cleanup.h"

void
reference_clear (struct reference *reference)
{
  size_t i;

  for (i = 0; i < reference->name_count; ++i)
    free (reference->names[i]);
  *reference = (struct reference) { 0 };
}

int
reference_add_name (struct reference *reference,
                    const char *name, size_t length)
{
  char *copy;

  if (reference->name_count == REFERENCE_NAMES_MAX)
    return 0;
  copy = strndup (name, length);
  if (copy == NULL)
    return -1;
  reference->names[reference->name_count++] = copy;
  return 0;
}

/* "nbd:...", "json:..." and so on: as in QEMU, a colon before any slash
 * makes it no file name. */
static bool
has_protocol (const char *name)
{
  return name[strcspn (name, ":/")] == ':';
}

/* The directory of an image, without symbolic links.  It was noted when
 * the image was opened: what its name leads to may have changed.  Only what
 * is no file has none. */
static char *
own_directory_of (const struct source *image)
{
  const char *path = image->name, *slash = strrchr (path, '/');
  CLEANUP_FREE char *directory = NULL;

  if (image->directory)
    return strdup (image->directory);
  if (slash == NULL)
    return realpath (".", NULL);
  directory = strndup (path, slash - path + 1);
  return directory ? realpath (directory, NULL) : NULL;
}

static bool
lies_in (const char *path, const char *directory)
{
  size_t length = strlen (directory);

  if (strcmp (directory, "/") == 0)
    return true;
  return strncmp (path, directory, length) == 0 && path[length] == '/';
}

/* The image that names the file may have no directory of its own. */
static bool
is_allowed (const char *path, const char *own_directory,
            const struct vdisk_options *options)
{
  size_t i;

  if (own_directory && lies_in (path, own_directory))
    return true;
  for (i = 0; i < options->backing_dir_count; ++i)
    if (lies_in (path, options->backing_dirs[i]))
      return true;
  return false;
}

/* Open an absolute path that must have no symbolic link in it.  -1 with
 * errno set. */
static int
open_without_links (char *path)
{
  int directory = open ("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  char *component, *rest = NULL;
  struct stat st;
  int fd = -1, saved;

  if (directory != -1)
    errno = EISDIR;             /* if there is no component */

  for (component = strtok_r (path, "/", &rest);
       component && directory != -1;
       component = strtok_r (NULL, "/", &rest)) {
    if (*rest == '\0') {
      if (fstatat (directory, component, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        /* Nothing is opened that opening could change. */
        if (S_ISREG (st.st_mode) || S_ISBLK (st.st_mode))
          fd = TEMP_FAILURE_RETRY (openat (directory, component,
                                           O_RDONLY | O_NOFOLLOW |
                                           O_NONBLOCK | O_NOCTTY |
                                           O_CLOEXEC));
        else
          errno = S_ISDIR (st.st_mode) ? EISDIR : EINVAL;
      }
      break;
    }
    fd = openat (directory, component,
                 O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
    close (directory);
    directory = fd;
    fd = -1;
  }

  saved = errno;
  if (directory != -1)
    close (directory);
  errno = saved;
  return fd;
}

/* The file's name in a reference: without the prefix of QEMU's protocol
 * for files. */
static const char *
file_name (const char *name)
{
  return strncmp (name, "file:", 5) == 0 ? name + 5 : name;
}

static bool
has_directory (const struct source *image)
{
  return !image->is_uri && !image->is_label;
}

bool
reference_has_path (const struct source *from, const char *name)
{
  return has_directory (from) || file_name (name)[0] == '/';
}

char *
reference_path (const struct source *from, const char *name)
{
  const char *slash = strrchr (from->name, '/');
  char *path;

  name = file_name (name);
  if (name[0] == '/' || slash == NULL)
    return strdup (name);
  if (asprintf (&path, "%.*s%s", (int) (slash - from->name + 1), from->name,
                name) == -1)
    return NULL;
  return path;
}

/* The same path as one that can be looked up: seen from the directory that
 * was noted when the image was opened. */
static char *
path_to_look_up (const struct source *from, const char *name)
{
  const char *base = from->base ? from->base : from->directory;
  char *path;

  if (name[0] == '/' || base == NULL)
    return reference_path (from, name);
  return asprintf (&path, "%s/%s", base, name) == -1 ? NULL : path;
}

/* Is the name one that may be looked up? */
static int
check_name (const struct source *from, const char *role, const char *name,
            struct vdisk_error *error)
{
  if (*name == '\0')
    return error_set (error, EINVAL, "%s: %s: the name is empty",
                      from->name, role);
  if (has_protocol (name))
    return error_set (error, EPERM, "%s: %s '%s' is not a file name: "
                      "references with a protocol are refused", from->name,
                      role, name);
  if (!reference_has_path (from, name) && from->is_label)
    return error_set (error, EPERM, "%s: %s '%s' is a relative name, and the "
                      "image was opened without a path: only a resolver "
                      "could say what it means", from->name, role, name);
  if (!reference_has_path (from, name))
    return error_set (error, EINVAL, "%s: %s '%s' is a relative name, and an "
                      "NBD server has no directory for it", from->name, role,
                      name);
  return 0;
}

/* Is the file, which is at 'real', in an allowed directory? */
static int
check_place (const struct source *from, const char *role, const char *name,
             const char *real, const struct vdisk_options *options,
             struct vdisk_error *error)
{
  CLEANUP_FREE char *own = NULL;
  int length = strrchr (real, '/') - real;

  if (has_directory (from)) {
    own = own_directory_of (from);
    if (own == NULL)
      return error_set (error, errno, "%s: %s '%s': %s", from->name, role,
                        name, strerror (errno));
  }
  if (is_allowed (real, own, options))
    return 0;
  if (length == 0)
    length = 1;
  if (own == NULL)
    return error_set (error, EPERM, "%s: %s '%s' leads to %s, and an image "
                      "%s has no directory of its own: "
                      "%sbacking-dir=%.*s would allow it", from->name, role,
                      name, real, from->is_uri ? "from an NBD server"
                      : "opened without a path", options_prefix (options),
                      length, real);
  return error_set (error, EPERM, "%s: %s '%s' leads to %s, outside the "
                    "directory %s: %sbacking-dir=%.*s would allow it",
                    from->name, role, name, real, own,
                    options_prefix (options), length, real);
}

/* The path, without links, of the file that a name leads to, which must be
 * allowed. */
static char *
resolve (const struct source *from, const char *role, const char *name,
         const struct vdisk_options *options, struct vdisk_error *error)
{
  CLEANUP_FREE char *path = NULL;
  char *real;

  path = path_to_look_up (from, name);
  real = path ? realpath (path, NULL) : NULL;
  if (real == NULL)
    error_record (error, errno, "%s: %s '%s': %s", from->name, role, name,
                  strerror (errno));
  else if (check_place (from, role, name, real, options, error) == -1) {
    free (real);
    real = NULL;
  }
  return real;
}

/* The directory of a path. */
static char *
parent_of (const char *path)
{
  const char *slash = strrchr (path, '/');

  if (slash == NULL)
    return strdup (".");
  return strndup (path, slash == path ? 1 : slash - path);
}

/* Where the last part of a name starts. */
static size_t
last_part (const char *name)
{
  const char *slash = strrchr (name, '/');

  return slash ? slash + 1 - name : 0;
}

/* The directory, without links, in which nothing has the last part of a
 * name.  NULL if something has, or if it cannot be looked through.  A file in
 * it must be allowed before anything is told of it. */
static char *
directory_without (const struct source *from, const char *role,
                   const char *name, const struct vdisk_options *options)
{
  CLEANUP_FREE char *path = path_to_look_up (from, name);
  CLEANUP_FREE char *parent = path ? parent_of (path) : NULL;
  CLEANUP_FREE char *real = path ? realpath (path, NULL) : NULL;
  CLEANUP_FREE char *file = NULL;
  char *directory;

  if (parent == NULL || real || errno != ENOENT)
    return NULL;
  directory = realpath (parent, NULL);
  if (directory && asprintf (&file, "%s/%s", strcmp (directory, "/") == 0 ? ""
                             : directory, name + last_part (name)) != -1 &&
      check_place (from, role, name, file, options, NULL) == 0)
    return directory;
  free (directory);
  return NULL;
}

static void
refuse_to_choose (const struct source *from, const char *role,
                  const char *name, const struct case_names *found,
                  struct vdisk_error *error)
{
  size_t i;

  error_record (error, ENOTUNIQ, "%s: %s '%s': %zu files differ from it in no "
                "more than case:", from->name, role, name, found->count);
  for (i = 0; error && i < found->count && i < CASE_NAMES_MAX; ++i)
    error_add (error, "%s '%s'", i > 0 ? "," : "", found->names[i]);
  if (error && found->count > CASE_NAMES_MAX)
    error_add (error, " and others");
}

/* The name as the file that it leads to has it: with parent-case=ignore its
 * last part may differ from that in case, if there is just one such file. */
static char *
name_on_disk (const struct source *from, const char *role, const char *name,
              const struct vdisk_options *options, struct vdisk_error *error)
{
  struct case_names found = { .count = 0 };
  CLEANUP_FREE char *directory = NULL;
  char *own = NULL;

  name = file_name (name);
  if (check_name (from, role, name, error) == -1)
    return NULL;
  if (options->ignore_case)
    directory = directory_without (from, role, name, options);
  if (directory &&
      case_names_find (&found, directory, name + last_part (name)) == -1)
    error_record (error, errno, "%s: %s '%s': %s: %s", from->name, role, name,
                  directory, strerror (errno));
  else if (found.count > 1)
    refuse_to_choose (from, role, name, &found, error);
  else if (found.count == 0)
    own = strdup (name);
  else if (asprintf (&own, "%.*s%s", (int) last_part (name), name,
                     found.names[0]) == -1)
    own = NULL;
  case_names_free (&found);
  if (own == NULL)
    error_no_memory (error, from->name);
  return own;
}

char *
reference_resolve (const struct source *from, const char *role,
                   const char *name, const struct vdisk_options *options,
                   struct vdisk_error *error)
{
  CLEANUP_FREE char *own = name_on_disk (from, role, name, options, error);

  return own ? resolve (from, role, own, options, error) : NULL;
}

/* Note where what 'name' led to was found, at 'real'. */
static int
note_directories (const struct source *from, const char *name,
                  const char *real, struct source *source,
                  struct vdisk_error *error)
{
  CLEANUP_FREE char *path = path_to_look_up (from, name);
  CLEANUP_FREE char *parent = path ? parent_of (path) : NULL;

  source->directory = parent_of (real);
  if (parent == NULL || source->directory == NULL)
    return error_no_memory (error, from->name);
  source->base = realpath (parent, NULL);
  if (source->base == NULL)
    return error_set (error, errno, "%s: %s: %s", source->name, parent,
                      strerror (errno));
  return 0;
}

struct source *
reference_open (const struct source *from, const char *role,
                const char *name, const struct vdisk_options *options,
                struct vdisk_error *error)
{
  CLEANUP_FREE char *own = name_on_disk (from, role, name, options, error);
  CLEANUP_FREE char *path = NULL, *real = NULL, *walked = NULL;
  struct source *source;
  int fd;

  real = own ? resolve (from, role, own, options, error) : NULL;
  name = own;
  if (real == NULL)
    return NULL;
  path = reference_path (from, name);
  walked = strdup (real);
  if (path == NULL || walked == NULL) {
    error_no_memory (error, from->name);
    return NULL;
  }
  fd = open_without_links (walked);
  if (fd == -1) {
    error_record (error, errno, "%s: %s '%s': %s", from->name, role, name,
                  errno == EINVAL ? "neither a regular file nor a block "
                  "device" : strerror (errno));
    return NULL;
  }
  source = source_file (path, fd, options->force_share, error);
  if (source && note_directories (from, name, real, source, error) == -1) {
    source_close (source);
    return NULL;
  }
  else
    options_advise_sharing (options, error);
  return source;
}
