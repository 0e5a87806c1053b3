/* SPDX-License-Identifier: BSD-3-Clause */
/* Threads read pieces of the output and, but for a stream, write them where
 * they belong.  What has to happen in order is the caller's thread's: making
 * digests, zeros between the pieces, and writing to a stream.
 */

#include "export/copy.h"

#include "export/digests.h"
#include "export/pipeline.h"
#include "export/sink.h"
#include "util/error.h"
#include "util/minmax.h"

/* The most that a thread copies at a time: a block of an XVA with its
 * checksum.  What is larger does not stay in a processor's cache. */
#define PIECE_LENGTH (1088 << 10)

/* How far space is found ahead of writing. */
#define STRETCH_LENGTH (UINT64_C (32) << 20)

/* Where a byte of the output is in the sink. */
static uint64_t
place (const struct copy *copy, uint64_t offset)
{
  return copy->before + (offset - copy->sink_start);
}

static int
work (void *opaque, struct piece *piece, struct vdisk_error *error)
{
  const struct copy *copy = opaque;
  uint8_t *to = piece->buffer;
  unsigned i;

  for (i = 0; i < piece->range_count; ++i) {
    const struct range *range = &piece->ranges[i];

    if (vdisk_output_pread (copy->output, to, range->length, range->offset,
                            error) == -1 ||
        (!copy->sink->is_stream &&
         sink_write (copy->sink, to, range->length,
                     place (copy, range->offset), error) == -1))
      return -1;
    to += range->length;
  }
  return 0;
}

/* Everything up to there is a hole. */
static int
skip_to (struct copy *copy, uint64_t offset, struct vdisk_error *error)
{
  const uint64_t count = offset - copy->position;

  if (count == 0)
    return 0;
  if (copy->sink->is_stream
      ? sink_put_zeros (copy->sink, count, error) == -1
      : sink_zero (copy->sink, count, place (copy, copy->position),
                   error) == -1)
    return -1;
  copy->position = offset;
  return copy->digests
    ? digests_add (copy->digests, NULL, count, error) : 0;
}

static int
pass (struct copy *copy, const void *bytes, uint64_t count,
      struct vdisk_error *error)
{
  if (copy->sink->is_stream &&
      sink_put (copy->sink, bytes, count, error) == -1)
    return -1;
  copy->position += count;
  copy->copied += count;
  return copy->digests
    ? digests_add (copy->digests, bytes, count, error) : 0;
}

static int
hand_on (void *opaque, struct piece *piece, struct vdisk_error *error)
{
  struct copy *copy = opaque;
  const uint8_t *from = piece->buffer;
  unsigned i;

  for (i = 0; i < piece->range_count; ++i) {
    const struct range *range = &piece->ranges[i];

    if (skip_to (copy, range->offset, error) == -1 ||
        pass (copy, from, range->length, error) == -1)
      return -1;
    from += range->length;
  }
  return copy->advance (copy->opaque, copy->position, copy->copied, error);
}

/* How long the next piece is best: it ends where nothing is cut in two, if
 * that is not too far. */
static uint64_t
choose_length (const struct copy *copy, uint64_t offset, uint64_t end)
{
  uint64_t cut;

  if (end - offset <= PIECE_LENGTH)
    return end - offset;
  cut = vdisk_output_cut (copy->output, offset + PIECE_LENGTH);
  return cut > offset ? cut - offset : PIECE_LENGTH;
}

static int
put_pieces (struct copy *copy, uint64_t offset, uint64_t end)
{
  uint64_t n;

  for (; offset < end; offset += n) {
    n = choose_length (copy, offset, end);
    if (pipeline_put (copy->pipeline, offset, n, &copy->why) == -1)
      return -1;
  }
  return 0;
}

/* Space is found in the order of the output, which threads do not keep: the
 * file is in fewer parts then. */
static int
take_extent (void *opaque, uint64_t offset, uint64_t length, int is_hole)
{
  struct copy *copy = opaque;
  uint64_t n;

  for (; !is_hole && length > 0; offset += n, length -= n) {
    n = min_u64 (length, STRETCH_LENGTH);
    if (n < length)
      n = vdisk_output_cut (copy->output, offset + n) - offset;
    sink_allocate (copy->sink, n, place (copy, offset));
    if (put_pieces (copy, offset, offset + n) == -1)
      return -1;
  }
  return 0;
}

static int
walk (struct copy *copy, struct vdisk_error *error)
{
  if (vdisk_output_extents (copy->output, copy->start,
                            copy->end - copy->start, take_extent, copy,
                            error) == -1)
    return -1;
  if (copy->why.errnum != 0 ||
      pipeline_finish (copy->pipeline, &copy->why) == -1 ||
      skip_to (copy, copy->end, &copy->why) == -1)
    return error_set (error, copy->why.errnum, "%s", error_raw (&copy->why));
  return copy->advance (copy->opaque, copy->position, copy->copied, error);
}

int
copy_run (struct copy *copy, struct vdisk_error *error)
{
  static const struct pipeline_ops ops = {
    .piece_length = PIECE_LENGTH, .buffer_size = PIECE_LENGTH,
    .work = work, .write = hand_on,
  };
  int r = -1;

  copy->position = copy->start;
  copy->why.errnum = 0;
  copy->pipeline = pipeline_new (&ops, copy, copy->threads, error);
  if (copy->pipeline)
    r = walk (copy, error);
  pipeline_free (copy->pipeline);
  return r;
}
