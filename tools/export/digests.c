/* SPDX-License-Identifier: BSD-3-Clause */
/* XXH3 of one part after the other.
 *
 * It is as fast as memory, and tells every accident; it is no protection
 * from somebody who makes another file with the same digest.
 *
 * A part is all zeros as long as nothing else has come: only the number of
 * them is kept.  What is not a hole may be zeros too, and is looked at: so
 * the same bytes have the same manifest whatever they were made of.
 */

#include "export/digests.h"

#include <stdlib.h>

#include <xxhash.h>

#include "export/manifest.h"
#include "util/error.h"
#include "util/iszero.h"
#include "util/minmax.h"

struct digests {
  struct manifest *manifest;
  XXH3_state_t *state;
  uint64_t offset, end;         /* of the part, as far as it has come */
  uint64_t zeros;               /* at its end, not in 'state' yet */
};

struct digests *
digests_new (struct manifest *manifest, uint64_t offset)
{
  struct digests *digests = calloc (1, sizeof *digests);

  if (digests == NULL)
    return NULL;
  digests->manifest = manifest;
  digests->offset = digests->end = offset;
  digests->state = XXH3_createState ();
  if (digests->state == NULL) {
    free (digests);
    return NULL;
  }
  XXH3_128bits_reset (digests->state);
  return digests;
}

static void
flush_zeros (struct digests *digests)
{
  static const char zeros[64 << 10];

  while (digests->zeros > 0) {
    const uint64_t n = min_u64 (digests->zeros, sizeof zeros);

    XXH3_128bits_update (digests->state, zeros, n);
    digests->zeros -= n;
  }
}

/* The part has come to its end. */
static int
end_part (struct digests *digests, struct vdisk_error *error)
{
  struct part part = {
    .offset = digests->offset, .length = digests->end - digests->offset,
  };
  XXH128_canonical_t digest;

  part.zeros = digests->zeros == part.length;
  if (!part.zeros) {
    flush_zeros (digests);
    XXH128_canonicalFromHash (&digest, XXH3_128bits_digest (digests->state));
    memcpy (part.digest, digest.digest, sizeof part.digest);
    XXH3_128bits_reset (digests->state);
  }
  digests->zeros = 0;
  digests->offset = digests->end;
  return manifest_add (digests->manifest, &part, error);
}

/* Whole parts of zeros. */
static int
skip_parts (struct digests *digests, uint64_t count,
            struct vdisk_error *error)
{
  digests->zeros = count;
  digests->end += count;
  return end_part (digests, error);
}

int
digests_add (struct digests *digests, const void *bytes, uint64_t count,
             struct vdisk_error *error)
{
  const uint64_t part_size = digests->manifest->part_size;
  const char *from = bytes;

  while (count > 0) {
    const uint64_t had = digests->end - digests->offset;
    const uint64_t n = min_u64 (count, part_size - had);

    if (bytes == NULL && had == 0 && count >= part_size) {
      const uint64_t whole = count - count % part_size;

      if (skip_parts (digests, whole, error) == -1)
        return -1;
      count -= whole;
      continue;
    }
    if (from == NULL || is_zero (from, n))
      digests->zeros += n;
    else {
      flush_zeros (digests);
      XXH3_128bits_update (digests->state, from, n);
    }
    from = from ? from + n : NULL;
    digests->end += n;
    count -= n;
    if (had + n == part_size && end_part (digests, error) == -1)
      return -1;
  }
  return 0;
}

int
digests_finish (struct digests *digests, struct vdisk_error *error)
{
  return digests->end > digests->offset ? end_part (digests, error) : 0;
}

void
digests_free (struct digests *digests)
{
  if (digests) {
    XXH3_freeState (digests->state);
    free (digests);
  }
}
