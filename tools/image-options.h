/* SPDX-License-Identifier: BSD-3-Clause */
/* The options that say how an image is opened: the plugin's parameters by
 * the same names, which libvdisk parses.
 */

#ifndef VDISK_IMAGE_OPTIONS_H
#define VDISK_IMAGE_OPTIONS_H

#include <getopt.h>
#include <stdbool.h>

#include "vdisk.h"

/* getopt_long returns these; a command's own long options start after. */
enum {
  OPTION_IMAGE = 256,           /* any of IMAGE_OPTIONS */
  OPTION_FORCE_SHARE,           /* the same, may come without a value */
  OPTION_VERBOSE = 'v',
  OPTION_COMMAND = OPTION_FORCE_SHARE + 1,      /* the first free value */
};

/* For a command's table of struct option. */
#define IMAGE_OPTIONS                                                   \
  { "format",         required_argument, NULL, OPTION_IMAGE },          \
  { "backing-dir",    required_argument, NULL, OPTION_IMAGE },          \
  { "size",           required_argument, NULL, OPTION_IMAGE },          \
  { "sector-bitmaps", required_argument, NULL, OPTION_IMAGE },          \
  { "host-holes",     required_argument, NULL, OPTION_IMAGE },          \
  { "cache-size",     required_argument, NULL, OPTION_IMAGE },          \
  { "force-share",    optional_argument, NULL, OPTION_FORCE_SHARE }, \
  { "timeout",        required_argument, NULL, OPTION_IMAGE },          \
  { "layer",          required_argument, NULL, OPTION_IMAGE },          \
  { "layer-format",   required_argument, NULL, OPTION_IMAGE },          \
  { "ignore-parent-id", optional_argument, NULL, OPTION_FORCE_SHARE },  \
  { "parent-case",    required_argument, NULL, OPTION_IMAGE },          \
  { "verbose",        no_argument,       NULL, OPTION_VERBOSE }

/* For a command's string of short options. */
#define IMAGE_SHORT_OPTIONS "v"

/* Their part of a command's --help. */
#define IMAGE_OPTIONS_HELP                                              \
"How the image is opened:\n"                                            \
"  --format=FORMAT         auto, vhd, qcow2, qed, raw (default: auto;\n" \
"                          raw is never guessed, but for NBD URIs it\n" \
"                          is the default)\n"                           \
"  --backing-dir=DIR       references may also lead into DIR\n"         \
"                          (can be repeated; / allows all of them)\n"   \
"  --size=RULE             auto, current, chs: which size of a VHD\n"   \
"                          counts\n"                                    \
"  --sector-bitmaps=RULE   honour, ignore: bitmaps of dynamic VHDs\n"   \
"  --host-holes=RULE       auto, off: look for holes of the file\n"     \
"  --cache-size=SIZE       memory for all caches (default: 16M)\n"      \
"  --force-share           open an image even if it is being written\n"  \
"  --timeout=TIME          how long an NBD server may take for a request,\n" \
"                          in seconds, or with a suffix ms, m or h\n"   \
"  --layer=FILE            what lies under the image, whatever it records\n" \
"                          (repeat it down to the base); none: nothing\n" \
"  --layer-format=FORMAT   the format of the layer that was named last\n" \
"  --ignore-parent-id      take a parent with another UUID, and warn\n" \
"  --parent-case=RULE      exact, ignore: upper and lower case in the\n" \
"                          names that images record\n"                 \
"  -v, --verbose           say on standard error what is done\n"

/* Options with their defaults that print warnings on standard error, and
 * are named in messages as on the command line.  Never NULL: without memory the program ends. */
struct vdisk_options *image_options_new (void);

/* As getopt_long, but for what it says: if an option is wrong, a message in
 * the manner of usage_error is printed, and '?' returned. */
int next_option (int argc, char **argv, const char *shortopts,
                 const struct option *longopts, int *index);

/* Take an option next_option has returned, 'longopts' being its table and
 * 'index' the index it has set.  False, with a message printed, if the
 * value is wrong. */
bool image_options_take (struct vdisk_options *options, const char *command,
                         int opt, const struct option *longopts, int index);

#endif /* VDISK_IMAGE_OPTIONS_H */
