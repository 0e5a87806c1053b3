/* SPDX-License-Identifier: BSD-3-Clause */
/* Manifests in memory, and in files. */

#include "export/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "export/manifest-json.h"
#include "export/sink-path.h"
#include "util/cleanup.h"
#include "util/error.h"

void
manifest_clear (struct manifest *manifest)
{
  free (manifest->format);
  free (manifest->image);
  free (manifest->identity);
  free (manifest->extents);
  free (manifest->parts);
  json_decref (manifest->options);
  json_decref (manifest->stamps);
  *manifest = (struct manifest) { 0 };
}

int
manifest_add (struct manifest *manifest, const struct part *part,
              struct vdisk_error *error)
{
  struct part *last = manifest->count > 0
    ? &manifest->parts[manifest->count - 1] : NULL;

  if (last && part->zeros && last->zeros &&
      last->offset + last->length == part->offset) {
    last->length += part->length;
    return 0;
  }
  if (manifest->count == manifest->room) {
    const size_t room = 2 * manifest->room + 64;
    struct part *parts = reallocarray (manifest->parts, room, sizeof *parts);

    if (parts == NULL)
      return error_no_memory (error, "manifest");
    manifest->parts = parts;
    manifest->room = room;
  }
  manifest->parts[manifest->count++] = *part;
  return 0;
}

uint64_t
manifest_covered (const struct manifest *manifest, uint64_t offset)
{
  size_t i;

  for (i = 0; i < manifest->count; ++i) {
    const struct part *part = &manifest->parts[i];

    if (part->offset <= offset && offset - part->offset < part->length)
      offset = part->offset + part->length;
  }
  return offset;
}

static int
file_error (const char *path, const char *doing, struct vdisk_error *error)
{
  return error_set (error, errno, "%s: %s: %s", path, doing,
                    strerror (errno));
}

int
manifest_read (struct manifest *manifest, const char *path,
               struct vdisk_error *error)
{
  json_error_t why;
  json_t *root;
  FILE *file = fopen (path, "re");
  struct stat st;
  int r;

  if (file == NULL)
    return errno == ENOENT ? 1 : file_error (path, "opening it", error);
  /* What 'lock' makes. */
  if (fstat (fileno (file), &st) == 0 && S_ISREG (st.st_mode) &&
      st.st_size == 0) {
    fclose (file);
    return 1;
  }
  root = json_loadf (file, JSON_REJECT_DUPLICATES, &why);
  fclose (file);
  if (root == NULL)
    return error_set (error, EINVAL, "%s: not a manifest: line %d: %s", path,
                      why.line, why.text);
  r = manifest_from_json (manifest, root, path, error);
  json_decref (root);
  return r;
}

int
manifest_check_same (const struct manifest *manifest,
                     const struct manifest *other, const char *path,
                     struct vdisk_error *error)
{
  if (strcmp (manifest->identity, other->identity) != 0 ||
      manifest->image_size != other->image_size)
    return error_set (error, EINVAL, "%s: the image is not the one that %s "
                      "is of: its headers and map have the digest %s, not "
                      "%s", manifest->image, path, manifest->identity,
                      other->identity);
  if (strcmp (manifest->format, other->format) != 0)
    return error_set (error, EINVAL, "%s: it is of an output in the format "
                      "%s, not %s", path, other->format, manifest->format);
  if (manifest->extents &&
      (other->extents == NULL ||
       strcmp (manifest->extents, other->extents) != 0))
    return error_set (error, EINVAL, "%s: its file has other holes than when "
                      "%s was made, and the output would be laid out by them "
                      "(--host-holes=off, for all parts, does not look for "
                      "them)", manifest->image, path);
  if (!json_equal (manifest->options, other->options)) {
    CLEANUP_FREE char *ours = json_dumps (manifest->options, 0);
    CLEANUP_FREE char *theirs = json_dumps (other->options, 0);

    return error_set (error, EINVAL, "%s: it is of an output with the "
                      "options %s, not %s", path, theirs ? theirs : "",
                      ours ? ours : "");
  }
  if (manifest->size != other->size ||
      manifest->part_size != other->part_size)
    return error_set (error, EINVAL, "%s: it is of an output of %" PRIu64
                      " bytes, not %" PRIu64, path, other->size,
                      manifest->size);
  return 0;
}

char *
manifest_beside (const char *path)
{
  char *beside;

  return asprintf (&beside, "%s.new", path) == -1 ? NULL : beside;
}

/* Write the text to a file beside it, which one who was killed may have left
 * there.  Its path is to be freed. */
static int
write_beside (const char *text, const char *path, bool durable,
              char **temporary, struct vdisk_error *error)
{
  FILE *file;
  int fd, r = 0;

  *temporary = manifest_beside (path);
  if (*temporary == NULL)
    return error_no_memory (error, path);
  fd = open (*temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW |
             O_CLOEXEC, 0644);
  file = fd == -1 ? NULL : fdopen (fd, "w");
  if (file == NULL)
    return file_error (path, "making a file beside it", error);
  if (fprintf (file, "%s\n", text) < 0 || fflush (file) == EOF ||
      (durable && fsync (fd) == -1))
    r = file_error (path, "writing", error);
  if (fclose (file) == EOF && r == 0)
    r = file_error (path, "closing", error);
  if (r == -1)
    unlink (*temporary);
  return r;
}

static int
flush_directory (const char *path, struct vdisk_error *error)
{
  CLEANUP_FREE char *name = sink_path_beside (path, "");
  CLEANUP_CLOSE int fd = -1;

  if (name == NULL)
    return error_no_memory (error, path);
  fd = open (*name ? name : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd == -1 || (fsync (fd) == -1 && errno != EINVAL))
    return file_error (path, "flushing its directory", error);
  return 0;
}

int
manifest_write (const struct manifest *manifest, const char *path,
                bool durable, struct vdisk_error *error)
{
  CLEANUP_FREE char *text = manifest_to_json (manifest);
  CLEANUP_FREE char *temporary = NULL;

  if (text == NULL)
    return error_no_memory (error, path);
  if (write_beside (text, path, durable, &temporary, error) == -1)
    return -1;
  if (rename (temporary, path) == -1) {
    file_error (path, "putting it in its place", error);
    unlink (temporary);
    return -1;
  }
  return durable ? flush_directory (path, error) : 0;
}

/* Lock the file that has the name now, making it if there is none.  Who
 * waited for the lock may find that it was replaced. */
static int
lock (const char *path, struct vdisk_error *error)
{
  struct stat ours, named;
  int fd;

  for (;;) {
    fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd == -1)
      return file_error (path, "opening it", error);
    if (TEMP_FAILURE_RETRY (flock (fd, LOCK_EX)) == -1 ||
        fstat (fd, &ours) == -1)
      break;
    if (stat (path, &named) == 0 && named.st_dev == ours.st_dev &&
        named.st_ino == ours.st_ino)
      return fd;
    close (fd);
  }
  file_error (path, "locking", error);
  close (fd);
  return -1;
}

static uint64_t
end_of (const struct part *part)
{
  return part->offset + part->length;
}

/* Add what is not there yet.  The same bytes cannot have two digests. */
static int
merge_part (struct manifest *all, struct part part, const char *path,
            struct vdisk_error *error)
{
  const struct part *last = all->count > 0 ? &all->parts[all->count - 1]
    : NULL;

  if (last && part.offset < end_of (last)) {
    if (part.zeros != last->zeros ||
        memcmp (part.digest, last->digest, DIGEST_SIZE) != 0)
      return error_set (error, EINVAL, "%s: the output has other bytes from "
                        "%" PRIu64 " on than those that %s tells of: data of "
                        "the image has changed", all->image, part.offset,
                        path);
    if (end_of (&part) <= end_of (last))
      return 0;
    part.length = end_of (&part) - end_of (last);
    part.offset = end_of (last);
  }
  return manifest_add (all, &part, error);
}

static int
merge_parts (struct manifest *manifest, const struct manifest *older,
             const char *path, struct vdisk_error *error)
{
  struct manifest all = { .image = manifest->image };
  size_t i = 0, j = 0;
  int r = 0;

  while (r == 0 && (i < manifest->count || j < older->count)) {
    const bool is_new = j == older->count ||
      (i < manifest->count &&
       manifest->parts[i].offset < older->parts[j].offset);

    r = merge_part (&all, is_new ? manifest->parts[i] : older->parts[j],
                    path, error);
    i += is_new;
    j += !is_new;
  }
  free (manifest->parts);
  manifest->parts = all.parts;
  manifest->count = all.count;
  manifest->room = all.room;
  return r;
}

int
manifest_merge (struct manifest *manifest, const char *path,
                struct vdisk_error *error)
{
  struct manifest older = { 0 };
  CLEANUP_CLOSE int fd = lock (path, error);
  int r = fd == -1 ? -1 : manifest_read (&older, path, error);

  if (r == 0)
    r = manifest_check_same (manifest, &older, path, error);
  if (r != -1)
    r = merge_parts (manifest, &older, path, error);
  manifest_clear (&older);
  return r == 0 ? manifest_write (manifest, path, true, error) : -1;
}
