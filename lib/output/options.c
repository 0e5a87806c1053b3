/* SPDX-License-Identifier: BSD-3-Clause */
/* Values of options that several formats take. */

#include "output/output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "util/align.h"
#include "util/error.h"

int
output_no_option (const struct vdisk_output *output, const char *name,
                  struct vdisk_error *error)
{
  return error_set (error, ENOENT, "output %s: there is no option '%s'",
                    output->format->name, name);
}

int
output_parse_size (const char *name, const char *value, uint64_t *size,
                   struct vdisk_error *error)
{
  static const char suffixes[] = "kmgt";
  unsigned shift = 0;
  const char *suffix;
  char *end;

  errno = 0;
  *size = strtoull (value, &end, 10);
  if (*end != '\0') {
    suffix = strchr (suffixes, *end | 0x20);
    shift = suffix && end[1] == '\0' ? 10 * (suffix - suffixes + 1) : 64;
  }
  if (*value < '0' || *value > '9' || errno != 0 || shift == 64 ||
      *size > UINT64_MAX >> shift)
    return error_set (error, EINVAL, "%s=%s: must be a number of bytes, with "
                      "an optional suffix k, M, G or T", name, value);
  *size <<= shift;
  return 0;
}

int
output_parse_power (const char *name, const char *value, uint64_t min,
                    uint64_t max, uint64_t *size, struct vdisk_error *error)
{
  if (output_parse_size (name, value, size, error) == -1)
    return -1;
  if (!is_power_of_2 (*size) || *size < min || *size > max)
    return error_set (error, EINVAL, "%s=%s: must be a power of two from %"
                      PRIu64 " to %" PRIu64, name, value, min, max);
  return 0;
}

int
output_parse_bool (const char *name, const char *value, bool *is_true,
                   struct vdisk_error *error)
{
  static const char *const words[] = {
    "false", "true", "off", "on", "no", "yes", "0", "1",
  };
  size_t i;

  for (i = 0; i < sizeof words / sizeof words[0]; ++i)
    if (strcasecmp (value, words[i]) == 0) {
      *is_true = i % 2 == 1;
      return 0;
    }
  return error_set (error, EINVAL, "%s=%s: must be true or false", name,
                    value);
}
