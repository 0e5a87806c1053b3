/* SPDX-License-Identifier: BSD-3-Clause */
/* Sources, their prefixes, and the destination. */

#include "export/request-names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

/* A prefix becomes the name of a folder in a tar file. */
bool
is_export_prefix (const char *text)
{
  size_t letters = strspn (text, "abcdefghijklmnopqrstuvwxyz"
                           "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
  const char *digits = text + letters + 1;

  return letters > 0 && text[letters] == ':' && *digits != '\0' &&
    strlen (text) <= 32 && strspn (digits, "0123456789") == strlen (digits);
}

/* Where "SOURCE=Ref:7" has its prefix, or NULL. */
static const char *
find_prefix (const struct export_request *request, const char *text)
{
  const char *equals = strrchr (text, '=');

  if (request->exporter != &exporter_xva || equals == NULL ||
      !is_export_prefix (equals + 1))
    return NULL;
  return equals + 1;
}

static bool
take_source (struct export_request *request,
             const struct export_prefixes *prefixes, size_t i,
             const char *text)
{
  struct export_source *source = &request->sources[i];
  const char *prefix = prefixes->count > 0 ? NULL
    : find_prefix (request, text);

  source->name = prefix ? strndup (text, prefix - 1 - text) : strdup (text);
  source->prefix = i < prefixes->count ? prefixes->at[i] : prefix;
  if (source->name)
    return true;
  complain ("out of memory");
  return false;
}

static int
compare_prefixes (const void *a, const void *b)
{
  return strcmp (((const struct export_source *) a)->prefix,
                 ((const struct export_source *) b)->prefix);
}

/* Every disk of an XVA has a prefix of its own. */
static bool
check_prefixes (struct export_request *request,
                const struct export_prefixes *prefixes)
{
  struct export_source *sources = request->sources;
  size_t i;

  if (prefixes->count > request->source_count) {
    usage_error ("export", "--prefix: there are more of them than sources");
    return false;
  }
  if (request->source_count == 1 && sources[0].prefix == NULL)
    sources[0].prefix = "Ref:0";
  for (i = 0; i < request->source_count; ++i)
    if (sources[i].prefix == NULL) {
      usage_error ("export", "'%s' has no prefix: several disks need "
                   "SOURCE=Ref:N or a --prefix for each", sources[i].name);
      return false;
    }
  qsort (sources, request->source_count, sizeof *sources, compare_prefixes);
  for (i = 1; i < request->source_count; ++i)
    if (compare_prefixes (&sources[i - 1], &sources[i]) == 0) {
      usage_error ("export", "'%s' and '%s' have the same prefix %s",
                   sources[i - 1].name, sources[i].name, sources[i].prefix);
      return false;
    }
  return true;
}

/* Is the last name that of the destination?  It can be left out where it is
 * only measured. */
static bool
has_destination (const struct export_request *request,
                 const struct export_prefixes *prefixes, size_t count,
                 char **names)
{
  if (!request->measure)
    return true;
  if (prefixes->count > 0)
    return count > prefixes->count;
  return count > 1 && find_prefix (request, names[count - 1]) == NULL;
}

/* What --verify takes is not written to. */
static bool
take_name_to_verify (struct export_request *request, size_t count,
                     char **names)
{
  if (count != 1) {
    usage_error ("export", "--verify takes one file");
    return false;
  }
  request->destination = names[0];
  return true;
}

/* Parts are of one disk, and have their places in a file. */
static bool
check_parts (const struct export_request *request)
{
  if (!parts_wanted (&request->parts))
    return true;
  if (request->source_count > 1) {
    usage_error ("export", "an output of several disks has no parts: it can "
                 "only be written as a whole");
    return false;
  }
  if (request->parts.has_range && vdisk_is_uri (request->destination)) {
    usage_error ("export", "--range needs a file or a stream");
    return false;
  }
  return true;
}

bool
export_take_names (struct export_request *request,
                   const struct export_prefixes *prefixes, size_t count,
                   char **names)
{
  const bool many = request->exporter == &exporter_xva;
  size_t i;

  if (request->parts.verify)
    return take_name_to_verify (request, count, names);
  if (count == 0 || (count == 1 && !request->measure)) {
    usage_error ("export", count == 0 ? "a source is missing"
                 : "a destination is missing");
    return false;
  }
  if (has_destination (request, prefixes, count, names))
    request->destination = names[--count];
  if (request->destination && vdisk_is_uri (request->destination) &&
      request->exporter != &exporter_raw) {
    usage_error ("export", "an NBD server takes raw disks: -O %s needs a "
                 "file or a stream", request->exporter->name);
    return false;
  }
  if (count > 1 && !many) {
    usage_error ("export", "there can be only one source and one "
                 "destination");
    return false;
  }
  request->sources = calloc (count, sizeof *request->sources);
  if (request->sources == NULL) {
    complain ("out of memory");
    return false;
  }
  for (i = 0; i < count; ++i, ++request->source_count)
    if (!take_source (request, prefixes, i, names[i]))
      return false;
  return (!many || check_prefixes (request, prefixes)) &&
    check_parts (request);
}
