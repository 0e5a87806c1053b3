/* SPDX-License-Identifier: BSD-3-Clause */
/* Write a disk to standard output whose image is in memory: embed IMAGE
 * [BASE...].  The library opens no file: what the image refers to must be one
 * of the other arguments, by the same name.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vdisk.h>

/* A file, read as a whole. */
struct file {
  const char *name;
  char *bytes;
  size_t size;
};

struct files {
  struct file *at;
  int count;
};

static int
load (struct file *file, const char *name)
{
  FILE *stream = fopen (name, "rb");
  long size = -1;

  file->name = name;
  if (stream && fseek (stream, 0, SEEK_END) == 0)
    size = ftell (stream);
  if (size >= 0 && (file->bytes = malloc (size + 1)) != NULL) {
    rewind (stream);
    file->size = fread (file->bytes, 1, size, stream);
  }
  if (size == -1 || file->bytes == NULL || file->size != (size_t) size)
    perror (name);
  if (stream)
    fclose (stream);
  return file->bytes && file->size == (size_t) size ? 0 : -1;
}

static int64_t
file_size (void *opaque)
{
  const struct file *file = opaque;

  return file->size;
}

static int64_t
file_pread (void *opaque, void *buffer, size_t count, uint64_t offset)
{
  const struct file *file = opaque;

  memcpy (buffer, file->bytes + offset, count);
  return count;
}

static const struct vdisk_callbacks in_memory = {
  .struct_size = sizeof in_memory,
  .size = file_size,
  .pread = file_pread,
};

/* References lead to other files in memory, and nowhere else. */
static int
find (void *opaque, const struct vdisk_reference *reference,
      struct vdisk_storage *storage)
{
  const struct files *files = opaque;
  int i;

  for (i = 1; i < files->count; ++i)
    if (strcmp (reference->name, files->at[i].name) == 0) {
      storage->callbacks = &in_memory;
      storage->opaque = &files->at[i];
      return 0;
    }
  return -EPERM;
}

static int
write_disk (struct vdisk *vdisk, struct vdisk_error *error)
{
  static char buffer[1 << 20];
  const uint64_t size = vdisk_size (vdisk);
  uint64_t offset;
  size_t n;

  for (offset = 0; offset < size; offset += n) {
    n = size - offset < sizeof buffer ? size - offset : sizeof buffer;
    if (vdisk_pread (vdisk, buffer, n, offset, error) == -1)
      return -1;
    if (fwrite (buffer, 1, n, stdout) != n || fflush (stdout) == EOF) {
      snprintf (error->message, sizeof error->message, "writing: %s",
                strerror (errno));
      return -1;
    }
  }
  return 0;
}

int
main (int argc, char *argv[])
{
  struct files files = { .count = argc - 1 };
  struct vdisk_options *options = vdisk_options_new ();
  struct vdisk_error error;
  struct vdisk *vdisk;
  int i, status = EXIT_FAILURE;

  files.at = calloc (argc, sizeof *files.at);
  if (argc < 2 || options == NULL || files.at == NULL) {
    fprintf (stderr, "usage: embed IMAGE [BASE...]\n");
    return EXIT_FAILURE;
  }
  for (i = 0; i < files.count; ++i)
    if (load (&files.at[i], argv[i + 1]) == -1)
      return EXIT_FAILURE;

  vdisk_options_set_resolver (options, find, &files);
  vdisk = vdisk_open_callbacks (&in_memory, &files.at[0], argv[1], options,
                                &error);
  if (vdisk && write_disk (vdisk, &error) == 0)
    status = EXIT_SUCCESS;
  else
    fprintf (stderr, "%s\n", error.message);
  vdisk_close (vdisk);
  vdisk_options_free (options);
  for (i = 0; i < files.count; ++i)
    free (files.at[i].bytes);
  free (files.at);
  return status;
}
