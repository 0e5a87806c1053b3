/* SPDX-License-Identifier: BSD-3-Clause */
/* The file is read once from front to back; where a run of zeros should be,
 * holes are passed over.
 */

#include "export/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

#include "export/interrupt.h"
#include "export/manifest.h"
#include "progress.h"
#include "util/cleanup.h"
#include "util/error.h"
#include "util/iszero.h"
#include "util/minmax.h"

#define BUFFER_SIZE (1 << 20)

static int
file_error (const char *path, const char *doing, struct vdisk_error *error)
{
  return error_set (error, errno, "%s: %s: %s", path, doing,
                    strerror (errno));
}

/* Read so many bytes; fewer at the end of the file. */
static ssize_t
read_up_to (int fd, void *buffer, size_t count, uint64_t offset)
{
  size_t done = 0;
  ssize_t r = 1;

  while (done < count && r > 0) {
    r = TEMP_FAILURE_RETRY (pread (fd, (char *) buffer + done, count - done,
                                   offset + done));
    done += r > 0 ? r : 0;
  }
  return r == -1 ? -1 : (ssize_t) done;
}

/* Where the data from 'offset' on starts; 'end' if there is none before. */
static uint64_t
find_data (int fd, uint64_t offset, uint64_t end)
{
  const off_t data = lseek (fd, offset, SEEK_DATA);

  if (data == -1)
    return errno == ENXIO ? end : offset;
  return min_u64 (data, end);
}

int
verify_part (int fd, const char *path, const struct part *part,
             struct vdisk_error *error)
{
  CLEANUP_FREE char *buffer = malloc (BUFFER_SIZE);
  XXH3_state_t *state = XXH3_createState ();
  uint64_t offset = part->offset, end = part->offset + part->length;
  XXH128_canonical_t digest;
  bool right = true;
  ssize_t n = 0;

  if (buffer == NULL || state == NULL) {
    XXH3_freeState (state);
    return error_no_memory (error, path);
  }
  XXH3_128bits_reset (state);
  for (; right && offset < end; offset += n) {
    if (part->zeros && (offset = find_data (fd, offset, end)) == end)
      break;
    n = read_up_to (fd, buffer, min_u64 (end - offset, BUFFER_SIZE), offset);
    if (n <= 0 || interrupt_check (error) == -1)
      break;
    if (part->zeros)
      right = is_zero (buffer, n);
    else
      XXH3_128bits_update (state, buffer, n);
  }
  XXH128_canonicalFromHash (&digest, XXH3_128bits_digest (state));
  XXH3_freeState (state);
  if (n == -1)
    return file_error (path, "reading", error);
  if (interrupt_check (error) == -1)
    return -1;
  return right && offset == end &&
    (part->zeros || memcmp (digest.digest, part->digest, DIGEST_SIZE) == 0);
}

static int
check_complete (const struct manifest *manifest, const char *path,
                struct vdisk_error *error)
{
  const uint64_t covered = manifest_covered (manifest, 0);

  if (covered == manifest->size)
    return 0;
  return error_set (error, EINVAL, "%s: it has no digest for byte %" PRIu64
                    " of %" PRIu64 ": parts are missing", path, covered,
                    manifest->size);
}

static int
check_parts (int fd, const char *path, const struct manifest *manifest,
             const char *manifest_path, struct progress *progress,
             struct vdisk_error *error)
{
  const struct part *first = NULL;
  size_t i, wrong = 0;

  for (i = 0; i < manifest->count; ++i) {
    const struct part *part = &manifest->parts[i];
    const int r = verify_part (fd, path, part, error);

    if (r == -1)
      return -1;
    if (r == 0 && wrong++ == 0)
      first = part;
    progress_update (progress, part->offset + part->length, manifest->size);
  }
  if (first == NULL)
    return 0;
  return error_set (error, EIO, "%s: %zu of %zu parts are not as %s has them; "
                    "the first is bytes %" PRIu64 "-%" PRIu64, path, wrong,
                    manifest->count, manifest_path, first->offset,
                    first->offset + first->length - 1);
}

static int
check_file (const char *path, const struct manifest *manifest,
            const char *manifest_path, struct progress *progress,
            struct vdisk_error *error)
{
  CLEANUP_CLOSE int fd = open (path, O_RDONLY | O_CLOEXEC);
  struct stat st;

  if (fd == -1)
    return file_error (path, "opening it", error);
  if (fstat (fd, &st) == -1)
    return file_error (path, "looking at it", error);
  /* A device may be larger. */
  if (S_ISREG (st.st_mode) && (uint64_t) st.st_size != manifest->size)
    return error_set (error, EIO, "%s: it has %" PRIu64 " bytes, by %s it "
                      "would have %" PRIu64, path, (uint64_t) st.st_size,
                      manifest_path, manifest->size);
  return check_parts (fd, path, manifest, manifest_path, progress, error);
}

int
verify_file (const char *path, const char *manifest_path,
             struct progress *progress, struct vdisk_error *error)
{
  struct manifest manifest = { 0 };
  int r;

  error_clear (error);
  r = manifest_read (&manifest, manifest_path, error);
  if (r == 1)
    r = error_set (error, ENOENT, "%s: there is no manifest",
                   manifest_path);
  if (r == 0)
    r = check_complete (&manifest, manifest_path, error);
  if (r == 0)
    r = check_file (path, &manifest, manifest_path, progress, error);
  progress_hide (progress);
  manifest_clear (&manifest);
  return r;
}
