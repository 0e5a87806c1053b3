/* SPDX-License-Identifier: BSD-3-Clause */
/* An array in ascending order, searched by halving, under one lock. */

#include "source/stretches.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct stretches {
  pthread_mutex_t lock;
  size_t most, count;
  struct stretch at[];          /* ascending, not overlapping */
};

struct stretches *
stretches_new (size_t most)
{
  struct stretches *stretches =
    calloc (1, sizeof *stretches + most * sizeof stretches->at[0]);

  if (stretches) {
    stretches->most = most;
    pthread_mutex_init (&stretches->lock, NULL);
  }
  return stretches;
}

void
stretches_free (struct stretches *stretches)
{
  if (stretches) {
    pthread_mutex_destroy (&stretches->lock);
    free (stretches);
  }
}

/* The index of the first stretch that ends after 'offset'. */
static size_t
find (const struct stretches *stretches, uint64_t offset)
{
  size_t low = 0, high = stretches->count;

  while (low < high) {
    size_t middle = low + (high - low) / 2;

    if (stretches->at[middle].end <= offset)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

bool
stretches_recall (struct stretches *stretches, uint64_t offset,
                  struct stretch *stretch)
{
  size_t i;
  bool found;

  pthread_mutex_lock (&stretches->lock);
  i = find (stretches, offset);
  found = i < stretches->count && stretches->at[i].offset <= offset;
  if (found)
    *stretch = stretches->at[i];
  pthread_mutex_unlock (&stretches->lock);
  return found;
}

/* What a new row overlaps was asked for from a later offset, or by another
 * thread just now. */
void
stretches_remember (struct stretches *stretches,
                    const struct stretch *row, size_t count)
{
  size_t first, last;

  pthread_mutex_lock (&stretches->lock);
  if (count > stretches->most - stretches->count)
    stretches->count = 0;
  first = last = find (stretches, row[0].offset);
  while (last < stretches->count &&
         stretches->at[last].offset < row[count - 1].end)
    ++last;
  memmove (&stretches->at[first + count], &stretches->at[last],
           (stretches->count - last) * sizeof row[0]);
  memcpy (&stretches->at[first], row, count * sizeof row[0]);
  stretches->count += count - (last - first);
  pthread_mutex_unlock (&stretches->lock);
}
