/* SPDX-License-Identifier: BSD-3-Clause */
/* nbd-load URI COUNT disk|data: read 4 KiB at random places, 32 requests in
 * flight on one connection, as fast as the server answers.  'data' takes
 * only places that the block status says are data.  The places are the same
 * in every run.  Tells requests a second, and how long the median request
 * and the slowest in a hundred took.
 */

#include <inttypes.h>
#include <string.h>

#include "bench.h"
#include "disk-map.h"

#define DEPTH 32
#define READ_SIZE 4096

/* Where reads may go: pages of the disk, in order. */
struct places {
  struct place {
    uint64_t first;             /* page of the disk */
    uint64_t before;            /* pages in the places before this one */
  } *list;
  size_t count, room;
  uint64_t pages;
};

struct slot {
  char buffer[READ_SIZE];
  double began;
  struct load *load;
  int busy;
};

struct load {
  struct nbd_handle *nbd;
  struct slot slots[DEPTH];
  double *seconds;              /* that each finished request took */
  size_t finished;
};

static void
add_place (void *opaque, uint64_t offset, uint64_t length, int is_data)
{
  struct places *places = opaque;
  uint64_t first = (offset + READ_SIZE - 1) / READ_SIZE;
  uint64_t end = (offset + length) / READ_SIZE;

  if (!is_data || first >= end)
    return;
  if (places->count == places->room) {
    places->room = places->room * 2 + 64;
    places->list = realloc (places->list,
                            places->room * sizeof *places->list);
    if (places->list == NULL)
      give_up ("map", "out of memory");
  }
  places->list[places->count].first = first;
  places->list[places->count++].before = places->pages;
  places->pages += end - first;
}

/* xorshift64*: any generator will do, as long as it is always the same. */
static uint64_t
next_random (void)
{
  static uint64_t state = 88172645463325252;

  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * UINT64_C (2685821657736338717);
}

static uint64_t
random_offset (const struct places *places)
{
  uint64_t page = next_random () % places->pages;
  size_t low = 0, high = places->count, middle;

  while (high - low > 1) {
    middle = low + (high - low) / 2;
    if (places->list[middle].before <= page)
      low = middle;
    else
      high = middle;
  }
  page = page - places->list[low].before + places->list[low].first;
  return page * READ_SIZE;
}

static int
read_done (void *opaque, int *error)
{
  struct slot *slot = opaque;
  struct load *load = slot->load;

  if (*error)
    give_up ("read", strerror (*error));
  load->seconds[load->finished++] = now () - slot->began;
  slot->busy = 0;
  return 1;
}

static void
start_read (struct slot *slot, uint64_t offset)
{
  nbd_completion_callback done = { .callback = read_done,
                                   .user_data = slot };

  slot->busy = 1;
  slot->began = now ();
  if (nbd_aio_pread (slot->load->nbd, slot->buffer, READ_SIZE, offset,
                     done, 0) == -1)
    give_up ("read", nbd_get_error ());
}

/* Returns the seconds it took. */
static double
run_load (struct load *load, const struct places *places, size_t count)
{
  double began = now ();
  size_t started = 0, i;

  while (load->finished < count) {
    for (i = 0; i < DEPTH && started < count; ++i) {
      if (!load->slots[i].busy) {
        start_read (&load->slots[i], random_offset (places));
        started++;
      }
    }
    if (nbd_poll (load->nbd, -1) == -1)
      give_up ("read", nbd_get_error ());
  }
  return now () - began;
}

static int
compare (const void *a, const void *b)
{
  double x = *(const double *) a, y = *(const double *) b;

  return (x > y) - (x < y);
}

int
main (int argc, char *argv[])
{
  static struct load load;
  struct places places = { 0 };
  struct disk_map map;
  size_t count, i;
  double wall;

  if (argc != 4 || (count = strtoul (argv[2], NULL, 10)) == 0)
    give_up ("usage", "nbd-load URI COUNT disk|data");
  load.nbd = new_handle ();
  if (nbd_connect_uri (load.nbd, argv[1]) == -1)
    give_up (argv[1], nbd_get_error ());
  if (strcmp (argv[3], "data") == 0)
    walk_disk (load.nbd, UINT64_MAX, add_place, &places, &map);
  else
    add_place (&places, 0, nbd_get_size (load.nbd), 1);
  load.seconds = calloc (count, sizeof *load.seconds);
  if (places.pages == 0 || load.seconds == NULL)
    give_up (argv[1], "nowhere to read, or out of memory");
  for (i = 0; i < DEPTH; ++i)
    load.slots[i].load = &load;

  wall = run_load (&load, &places, count);
  qsort (load.seconds, count, sizeof *load.seconds, compare);
  printf ("wall %.6f\niops %.0f\np50 %.9f\np99 %.9f\n", wall, count / wall,
          load.seconds[count / 2], load.seconds[count * 99 / 100]);
  nbd_close (load.nbd);
  free (load.seconds);
  free (places.list);
  return 0;
}
