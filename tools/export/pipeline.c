/* SPDX-License-Identifier: BSD-3-Clause */
/* A ring of pieces.  They are numbered as they are put; piece n lies in
 * slot n modulo the number of slots, and goes from being filled by the
 * caller (n == put) to waiting for a thread (taken <= n < put), to being
 * worked on (written <= n < taken), and when it is done to being written.
 */

#include "export/pipeline.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "util/error.h"
#include "export/interrupt.h"
#include "util/align.h"
#include "util/minmax.h"

/* Enough for each thread to find a next piece while others are waiting to
 * be written, within bounds. */
#define SLOTS(threads) (2 * (threads) + 2)
#define SLOTS_MIN 3
#define MEMORY_MAX (UINT64_C (96) << 20)

/* As many threads again are started when so many more pieces had to be
 * waited for than not: one keeps up with a pipe while nothing has to be
 * inflated or fetched, and others would only be in its way. */
#define WAITS_MAX 3

/* How long an interrupt may go unnoticed while a thread is waited for. */
#define NOTICE_NS 100000000

#define PAGE 4096

struct pipeline {
  const struct pipeline_ops *ops;
  void *opaque;
  struct piece *pieces;
  unsigned slots;
  pthread_t *threads;
  unsigned threads_max, threads_started;
  unsigned waits;               /* see WAITS_MAX */
  uint8_t **spare;              /* buffers that no piece has, the one used
                                   last on top */
  unsigned spare_count;

  pthread_mutex_t lock;
  pthread_cond_t has_work;      /* a piece waits for a thread, or the end
                                   has come */
  pthread_cond_t is_done;       /* a piece is done */
  uint64_t put, taken, written;
  bool filling;                 /* piece 'put' has its first range */
  bool stopping;
};

static struct piece *
piece_at (const struct pipeline *pipeline, uint64_t number)
{
  return &pipeline->pieces[number % pipeline->slots];
}

static unsigned
choose_slots (const struct pipeline_ops *ops, unsigned threads)
{
  const uint64_t fit = MEMORY_MAX / (ops->buffer_size + 1);

  return max_u64 (min_u64 (SLOTS (threads), fit), SLOTS_MIN);
}

struct pipeline *
pipeline_new (const struct pipeline_ops *ops, void *opaque,
              unsigned threads, struct vdisk_error *error)
{
  struct pipeline *pipeline = calloc (1, sizeof *pipeline);

  if (pipeline == NULL)
    goto no_memory;
  pthread_mutex_init (&pipeline->lock, NULL);
  pthread_cond_init (&pipeline->has_work, NULL);
  pthread_cond_init (&pipeline->is_done, NULL);
  pipeline->ops = ops;
  pipeline->opaque = opaque;
  pipeline->slots = choose_slots (ops, threads);
  pipeline->threads_max = threads;
  pipeline->pieces = calloc (pipeline->slots, sizeof *pipeline->pieces);
  pipeline->threads = calloc (threads, sizeof *pipeline->threads);
  pipeline->spare = calloc (pipeline->slots, sizeof *pipeline->spare);
  if (pipeline->pieces && pipeline->threads && pipeline->spare)
    return pipeline;

 no_memory:
  pipeline_free (pipeline);
  error_no_memory (error, "export");
  return NULL;
}

/* What a thread does: take the next piece, work on it, and so on. */
static void *
run_thread (void *opaque)
{
  struct pipeline *pipeline = opaque;

  pthread_mutex_lock (&pipeline->lock);
  for (;;) {
    struct piece *piece;

    while (pipeline->taken == pipeline->put && !pipeline->stopping)
      pthread_cond_wait (&pipeline->has_work, &pipeline->lock);
    if (pipeline->stopping)
      break;
    piece = piece_at (pipeline, pipeline->taken++);
    pthread_mutex_unlock (&pipeline->lock);

    piece->status = pipeline->ops->work (pipeline->opaque, piece,
                                         &piece->error);

    pthread_mutex_lock (&pipeline->lock);
    piece->done = true;
    pthread_cond_signal (&pipeline->is_done);
  }
  pthread_mutex_unlock (&pipeline->lock);
  return NULL;
}

/* Signals are for the caller's thread.  Fewer threads than wanted will do,
 * as long as there is one. */
static int
start_thread (struct pipeline *pipeline, struct vdisk_error *error)
{
  sigset_t all, before;
  int r;

  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &before);
  r = pthread_create (&pipeline->threads[pipeline->threads_started], NULL,
                      run_thread, pipeline);
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  if (r == 0)
    pipeline->threads_started++;
  else if (pipeline->threads_started == 0)
    return error_set (error, r, "starting a thread: %s", strerror (r));
  return 0;
}

/* Are there enough threads for how often a piece is waited for? */
static void
count_wait (struct pipeline *pipeline, bool late)
{
  unsigned more;

  if (!late) {
    pipeline->waits -= pipeline->waits > 0;
    return;
  }
  if (++pipeline->waits < WAITS_MAX)
    return;
  pipeline->waits = 0;
  more = min_u64 (pipeline->threads_started,
                  pipeline->threads_max - pipeline->threads_started);
  /* There is one already, so this is no error. */
  while (more-- > 0 && start_thread (pipeline, NULL) == 0)
    ;
}

/* Wait until a piece is done. */
static int
wait_for (struct pipeline *pipeline, const struct piece *piece,
          struct vdisk_error *error)
{
  struct timespec until;
  bool late;

  pthread_mutex_lock (&pipeline->lock);
  late = !piece->done;
  while (!piece->done && !interrupted ()) {
    clock_gettime (CLOCK_REALTIME, &until);
    until.tv_nsec += NOTICE_NS;
    if (until.tv_nsec >= 1000000000) {
      until.tv_nsec -= 1000000000;
      until.tv_sec++;
    }
    pthread_cond_timedwait (&pipeline->is_done, &pipeline->lock, &until);
  }
  pthread_mutex_unlock (&pipeline->lock);
  count_wait (pipeline, late);
  return interrupt_check (error);
}

static int
write_oldest (struct pipeline *pipeline, struct vdisk_error *error)
{
  struct piece *piece = piece_at (pipeline, pipeline->written);

  if (wait_for (pipeline, piece, error) == -1)
    return -1;
  if (piece->status == -1)
    return error_set (error, piece->error.errnum, "%s",
                      error_raw (&piece->error));
  if (pipeline->ops->write (pipeline->opaque, piece, error) == -1)
    return -1;
  pipeline->written++;
  if (piece->buffer)
    pipeline->spare[pipeline->spare_count++] = piece->buffer;
  piece->buffer = NULL;
  return 0;
}

/* A buffer whose pages are there: a page fault for each of them would cost
 * as much as to copy the bytes, and a short export uses each but once.  Where
 * the kernel cannot do so (before Linux 5.14) they come one by one. */
static uint8_t *
new_buffer (size_t size)
{
  uint8_t *buffer = aligned_alloc (PAGE, round_up (size, PAGE));

#ifdef MADV_POPULATE_WRITE
  if (buffer)
    madvise (buffer, round_up (size, PAGE), MADV_POPULATE_WRITE);
#endif
  return buffer;
}

/* The buffer that was used last, which may be in the processor's cache. */
static uint8_t *
take_buffer (struct pipeline *pipeline)
{
  return pipeline->spare_count > 0
    ? pipeline->spare[--pipeline->spare_count]
    : new_buffer (pipeline->ops->buffer_size);
}

/* How many pieces there may be at a time. */
static unsigned
window (const struct pipeline *pipeline)
{
  return min_u64 (SLOTS (pipeline->threads_started), pipeline->slots);
}

/* Make the slot of the piece that is filled next ready for that. */
static int
begin_piece (struct pipeline *pipeline, struct vdisk_error *error)
{
  const struct pipeline_ops *ops = pipeline->ops;
  struct piece *piece = piece_at (pipeline, pipeline->put);

  if (pipeline->put - pipeline->written >= window (pipeline) &&
      write_oldest (pipeline, error) == -1)
    return -1;
  if (ops->buffer_size > 0)
    piece->buffer = take_buffer (pipeline);
  if (piece->extra == NULL && ops->extra_size > 0)
    piece->extra = malloc (ops->extra_size);
  if ((piece->buffer == NULL && ops->buffer_size > 0) ||
      (piece->extra == NULL && ops->extra_size > 0))
    return error_no_memory (error, "export");
  piece->range_count = 0;
  piece->length = 0;
  piece->done = false;
  piece->error.errnum = 0;
  pipeline->filling = true;
  return 0;
}

/* Let the threads have the piece that was being filled. */
static int
end_piece (struct pipeline *pipeline, struct vdisk_error *error)
{
  struct piece *piece = piece_at (pipeline, pipeline->put);

  piece->size = piece->length;
  pipeline->filling = false;
  pthread_mutex_lock (&pipeline->lock);
  pipeline->put++;
  pthread_cond_signal (&pipeline->has_work);
  pthread_mutex_unlock (&pipeline->lock);
  return pipeline->threads_started > 0 ? 0 : start_thread (pipeline, error);
}

static void
add_range (struct piece *piece, uint64_t offset, uint64_t length)
{
  struct range *next = &piece->ranges[piece->range_count];

  piece->length += length;
  if (piece->range_count > 0 && next[-1].offset + next[-1].length == offset)
    next[-1].length += length;
  else {
    *next = (struct range) { .offset = offset, .length = length };
    piece->range_count++;
  }
}

int
pipeline_put (struct pipeline *pipeline, uint64_t offset, uint64_t length,
              struct vdisk_error *error)
{
  const struct pipeline_ops *ops = pipeline->ops;

  while (length > 0) {
    struct piece *piece = piece_at (pipeline, pipeline->put);
    uint64_t n;

    /* What fits into a piece is not cut. */
    if (pipeline->filling && length <= ops->piece_length &&
        length > ops->piece_length - piece->length) {
      if (end_piece (pipeline, error) == -1)
        return -1;
      piece = piece_at (pipeline, pipeline->put);
    }
    if (!pipeline->filling && begin_piece (pipeline, error) == -1)
      return -1;
    n = min_u64 (length, ops->piece_length - piece->length);
    add_range (piece, offset, n);
    offset += n;
    length -= n;
    if ((ops->one_range || piece->length == ops->piece_length ||
         piece->range_count == PIECE_RANGES_MAX) &&
        end_piece (pipeline, error) == -1)
      return -1;
  }
  return interrupt_check (error);
}

int
pipeline_finish (struct pipeline *pipeline, struct vdisk_error *error)
{
  if (pipeline->filling && end_piece (pipeline, error) == -1)
    return -1;
  while (pipeline->written < pipeline->put)
    if (write_oldest (pipeline, error) == -1)
      return -1;
  return 0;
}

void
pipeline_free (struct pipeline *pipeline)
{
  unsigned i;

  if (pipeline == NULL)
    return;
  pthread_mutex_lock (&pipeline->lock);
  pipeline->stopping = true;
  pthread_cond_broadcast (&pipeline->has_work);
  pthread_mutex_unlock (&pipeline->lock);
  /* One that reads from a server may never come back; after an interrupt
   * the program does not wait for long. */
  for (i = 0; i < pipeline->threads_started; ++i)
    pthread_join (pipeline->threads[i], NULL);
  for (i = 0; pipeline->pieces && i < pipeline->slots; ++i) {
    free (pipeline->pieces[i].buffer);
    free (pipeline->pieces[i].extra);
  }
  while (pipeline->spare_count > 0)
    free (pipeline->spare[--pipeline->spare_count]);
  pthread_mutex_destroy (&pipeline->lock);
  pthread_cond_destroy (&pipeline->has_work);
  pthread_cond_destroy (&pipeline->is_done);
  free (pipeline->pieces);
  free (pipeline->threads);
  free (pipeline->spare);
  free (pipeline);
}
