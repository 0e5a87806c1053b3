/* SPDX-License-Identifier: BSD-3-Clause */
/* A program built with the library that is installed. */

#include <stdio.h>

#include <vdisk.h>

int
main (void)
{
  puts (vdisk_version ());
  return 0;
}
