/* SPDX-License-Identifier: BSD-3-Clause */
/* Writing notes, and going by them. */

#include "export/resume.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "export/manifest.h"
#include "export/parts.h"
#include "export/sink.h"
#include "export/verify.h"
#include "util/cleanup.h"
#include "util/error.h"
#include "util/minmax.h"

/* How often a note is written, if that takes no time to speak of: else it
 * is to take one of so many milliseconds at most. */
#define INTERVAL_MS 1000
#define SHARE 20

static uint64_t
milliseconds (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (uint64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int
resume_init (struct resume *resume, const struct sink *sink,
             const struct export_parts *parts, struct vdisk_error *error)
{
  int r;

  if (sink->path == NULL)
    return error_set (error, EINVAL, "%s: --resume needs a regular file",
                      sink->name);
  r = parts->shard > 0
    ? asprintf (&resume->path, "%s.vdisk-progress-%" PRIu64 "-of-%" PRIu64,
                sink->path, parts->shard, parts->shard_count)
    : asprintf (&resume->path, "%s.vdisk-progress", sink->path);
  if (r == -1) {
    resume->path = NULL;
    return error_no_memory (error, sink->name);
  }
  resume->written_at = milliseconds ();
  resume->interval = INTERVAL_MS;
  return 0;
}

/* Does the file hold what the note says of its last bytes that are not
 * zeros?  It may be another one of that name. */
static int
check_last_part (const struct resume *resume, const struct sink *sink,
                 const struct manifest *manifest, struct vdisk_error *error)
{
  CLEANUP_CLOSE int fd = open (sink->path, O_RDONLY | O_CLOEXEC);
  size_t i = manifest->count;
  struct stat st;
  int r = 1;

  if (fd == -1 || fstat (fd, &st) == -1)
    return error_set (error, errno, "%s: opening it: %s", sink->name,
                      strerror (errno));
  while (i > 0 && manifest->parts[i - 1].zeros)
    --i;
  if (i > 0)
    r = verify_part (fd, sink->name, &manifest->parts[i - 1], error);
  if (r == -1)
    return -1;
  if (r == 0 || (uint64_t) st.st_size != manifest->size)
    return error_set (error, EINVAL, "%s: it does not hold what %s says was "
                      "written; remove that to start from the beginning",
                      sink->name, resume->path);
  return 0;
}

static int
check_note (const struct resume *resume, const struct sink *sink,
            const struct manifest *manifest, const struct manifest *note,
            struct vdisk_error *error)
{
  if (manifest_check_same (manifest, note, resume->path, error) == -1)
    return -1;
  if (!json_equal (manifest->stamps, note->stamps))
    return error_set (error, EINVAL, "%s: the image has been written to since "
                      "the export to %s was begun; remove %s to start from "
                      "the beginning", manifest->image, sink->name,
                      resume->path);
  return check_last_part (resume, sink, note, error);
}

int
resume_read (const struct resume *resume, const struct sink *sink,
             struct manifest *manifest, bool *found,
             struct vdisk_error *error)
{
  struct manifest note = { 0 };
  int r = manifest_read (&note, resume->path, error);

  *found = r == 0;
  if (r == 0)
    r = check_note (resume, sink, manifest, &note, error);
  if (r == 0) {
    manifest->parts = note.parts;
    manifest->count = note.count;
    manifest->room = note.room;
    note.parts = NULL;
  }
  manifest_clear (&note);
  return r == -1 ? -1 : 0;
}

int
resume_advance (struct resume *resume, struct sink *sink,
                const struct manifest *manifest, struct vdisk_error *error)
{
  const uint64_t now = milliseconds ();

  if (now - resume->written_at < resume->interval || manifest->count == 0)
    return 0;
  if (sink->ops->sync (sink, error) == -1 ||
      manifest_write (manifest, resume->path, true, error) == -1)
    return -1;
  resume->written_at = milliseconds ();
  resume->interval = max_u64 (INTERVAL_MS,
                              SHARE * (resume->written_at - now));
  return 0;
}

static int
remove_file (const char *path, struct vdisk_error *error)
{
  if (remove (path) == -1 && errno != ENOENT)
    return error_set (error, errno, "%s: removing it: %s", path,
                      strerror (errno));
  return 0;
}

int
resume_finish (const struct resume *resume, struct vdisk_error *error)
{
  /* Left by one that was killed while it wrote a note. */
  CLEANUP_FREE char *beside = manifest_beside (resume->path);

  if (beside == NULL)
    return error_no_memory (error, resume->path);
  return remove_file (beside, error) == 0
    ? remove_file (resume->path, error) : -1;
}

void
resume_free (struct resume *resume)
{
  free (resume->path);
}
