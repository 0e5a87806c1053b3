/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening VHDs: every rule of footers and headers, the two footers, sizes
 * by creator.  Maps and parents have their own suites.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "vhd-image.h"

#define LEN(a) (sizeof (a) / sizeof (a)[0])

#define MB (UINT64_C (1) << 20)
#define BLOCK (2 * MB)

/* The size of the dynamic images here: 3 blocks, the last one cut. */
#define DISK (5 * MB + 512)
#define FILE_SIZE (1536 + 512 + 1024 + 512)

static void
put_be (uint8_t *to, unsigned width, uint64_t value)
{
  while (width > 0) {
    to[--width] = value;
    value >>= 8;
  }
}

/* Open, check the outcome (a NULL message: it works) and the warning. */
static void
check_open (const struct vhd_image *image, int errnum, const char *message,
            const char *warning)
{
  struct vdisk_error error = { 0 };
  struct layer *layer = vhd_image_try (image, NULL, &error);

  ck_assert_str_eq (error.message, message ? message : "");
  ck_assert_int_eq (error.errnum, message ? errnum : 0);
  ck_assert_str_eq (last_warning (), warning ? warning : "");
  layer_close (layer);
}

START_TEST (test_dynamic)
{
  struct vhd_image image;
  struct layer *layer;

  vhd_image_init (&image, VHD_DYNAMIC, DISK, BLOCK);
  ck_assert_uint_eq (image.size, FILE_SIZE);
  layer = vhd_image_open (&image, NULL);
  ck_assert_uint_eq (layer->size, DISK);
  ck_assert_uint_eq (layer->cluster_size, BLOCK);
  ck_assert_uint_eq (layer->granularity, VHD_SECTOR_SIZE);
  ck_assert (!layer->is_raw);
  ck_assert_ptr_null (layer->backing.role);
  ck_assert_str_eq (last_warning (), "");
  layer_close (layer);
  vhd_image_free (&image);
}
END_TEST

START_TEST (test_fixed)
{
  struct vhd_image image;
  struct layer *layer;

  vhd_image_init (&image, VHD_FIXED, 10000, 0);
  layer = vhd_image_open (&image, NULL);
  ck_assert_uint_eq (layer->size, 10000);
  ck_assert_uint_eq (layer->cluster_size, 4096);
  ck_assert_str_eq (map_text (layer, 0, 10000), "data 0+10000@0");
  ck_assert_str_eq (map_text (layer, 700, 9000), "data 700+9000@700");
  ck_assert_str_eq (last_warning (), "");
  layer_close (layer);
  vhd_image_free (&image);
}
END_TEST

/* One field that lies. */

enum where { FOOTER, HEADER };

struct lie {
  enum where where;
  size_t offset;
  unsigned width;
  uint64_t value;
  bool fix;                     /* make the checksum right afterwards */
  int errnum;
  const char *message;          /* after "disk.vhd: " */
};

#define FIELD(type, field) \
  offsetof (struct type, field), sizeof ((struct type *) 0)->field
#define IN_FOOTER(field) FOOTER, FIELD (vhd_footer, field)
#define IN_HEADER(field) HEADER, FIELD (vhd_dynamic_header, field)

/* Both footers say the same. */
#define BOTH(problem) "footer: " problem "; footer copy: " problem

static const struct lie lies[] = {
  { IN_FOOTER (cookie), 0x636f6e6563746958, true, EINVAL,
    BOTH ("no cookie \"conectix\"") },
  { IN_FOOTER (cookie), 0, true, EINVAL, BOTH ("no cookie \"conectix\"") },
  { IN_FOOTER (checksum), 0, false, EINVAL,
    BOTH ("checksum 0x00000000, expected 0xfffff705") },
  { IN_FOOTER (checksum), 0xfffff704, false, EINVAL,
    BOTH ("checksum 0xfffff704, expected 0xfffff705") },
  { IN_FOOTER (version), 0x00020003, true, EINVAL,
    BOTH ("version 2.3, must be 1.x") },
  { IN_FOOTER (version), 0x00000001, true, EINVAL,
    BOTH ("version 0.1, must be 1.x") },
  { IN_FOOTER (version), 0x00010001, true, 0, NULL },
  { IN_FOOTER (type), 0, true, EINVAL, BOTH ("type 0, must be 2 (fixed), "
    "3 (dynamic) or 4 (differencing)") },
  { IN_FOOTER (type), 5, true, EINVAL, BOTH ("type 5, must be 2 (fixed), "
    "3 (dynamic) or 4 (differencing)") },
  { IN_FOOTER (type), 4, true, EINVAL, "header: no locator and no name "
    "tells where the parent is" },
  { IN_FOOTER (type), 2, true, EINVAL, "footer: disk of 5243392 bytes, but "
    "there are only 3072 before the footer" },
  { IN_FOOTER (header_offset), FILE_SIZE - 1023, true, EINVAL,
    "footer: header at offset 2561, beyond the end of the file "
    "(3584 bytes)" },
  { IN_FOOTER (header_offset), UINT64_MAX, true, EINVAL,
    "footer: header at offset 18446744073709551615, beyond the end of the "
    "file (3584 bytes)" },
  { IN_FOOTER (header_offset), FILE_SIZE - 1024, true, EINVAL,
    "header: no cookie \"cxsparse\"" },
  { IN_FOOTER (current_size), 0, true, 0, NULL },
  { IN_FOOTER (current_size), 6 * MB, true, 0, NULL },
  { IN_FOOTER (current_size), 6 * MB + 1, true, EINVAL,
    "header: 3 BAT entries for blocks of 2097152 bytes do not cover the "
    "disk (6291457 bytes)" },
  { IN_FOOTER (current_size), UINT64_MAX, true, EINVAL,
    "header: 3 BAT entries for blocks of 2097152 bytes do not cover the "
    "disk (18446744073709551615 bytes)" },
  { IN_FOOTER (saved_state), 1, true, 0, NULL },
  { IN_FOOTER (features), 0xffffffff, true, 0, NULL },

  { IN_HEADER (cookie), 0x637873706172730a, true, EINVAL,
    "header: no cookie \"cxsparse\"" },
  { IN_HEADER (checksum), 0xffffffff, false, EINVAL,
    "header: checksum 0xffffffff, expected 0xfffff474" },
  { IN_HEADER (version), 0x00020000, true, ENOTSUP,
    "header: version 2.0, must be 1.x" },
  { IN_HEADER (block_size), 0, true, EINVAL,
    "header: block size 0, must be a power of two of at least 512" },
  { IN_HEADER (block_size), 256, true, EINVAL,
    "header: block size 256, must be a power of two of at least 512" },
  { IN_HEADER (block_size), 3 << 20, true, EINVAL,
    "header: block size 3145728, must be a power of two of at least 512" },
  { IN_HEADER (block_size), 1 << 20, true, EINVAL,
    "header: 3 BAT entries for blocks of 1048576 bytes do not cover the "
    "disk (5243392 bytes)" },
  { IN_HEADER (block_size), UINT32_C (1) << 31, true, 0, NULL },
  { IN_HEADER (max_table_entries), 2, true, EINVAL,
    "header: 2 BAT entries for blocks of 2097152 bytes do not cover the "
    "disk (5243392 bytes)" },
  /* The BAT may be larger than the disk needs, even than the file: the
   * part that counts is there. */
  { IN_HEADER (max_table_entries), 0xffffffff, true, 0, NULL },
  { IN_HEADER (table_offset), FILE_SIZE - 12, true, 0, NULL },
  { IN_HEADER (table_offset), FILE_SIZE - 11, true, EINVAL,
    "header: BAT of 3 entries at offset 3573 reaches beyond the end of the "
    "file (3584 bytes)" },
  { IN_HEADER (table_offset), UINT64_MAX - 11, true, EINVAL,
    "header: BAT of 3 entries at offset 18446744073709551604 reaches beyond "
    "the end of the file (3584 bytes)" },
  { IN_HEADER (next_offset), 0, true, 0, NULL },
};

static void
tell_lie (struct vhd_image *image, const struct lie *lie)
{
  uint8_t *base = lie->where == FOOTER ?
    (uint8_t *) vhd_image_footer (image) :
    (uint8_t *) vhd_image_header (image);

  put_be (base + lie->offset, lie->width, lie->value);
  if (lie->fix)
    vhd_image_fix (image);
  else if (lie->where == FOOTER)
    memcpy (vhd_image_copy (image), base, 512);
}

START_TEST (test_lie)
{
  const struct lie *lie = &lies[_i];
  struct vhd_image image;
  char message[512];

  vhd_image_init (&image, VHD_DYNAMIC, DISK, BLOCK);
  tell_lie (&image, lie);
  if (lie->message)
    snprintf (message, sizeof message, "disk.vhd: %s", lie->message);
  check_open (&image, lie->errnum, lie->message ? message : NULL, NULL);
  vhd_image_free (&image);
}
END_TEST

/* A disk of no bytes and no entries still has a place for its BAT. */
/* With blocks as large as can be, so that the BAT is small. */
START_TEST (test_largest)
{
  const uint64_t largest = UINT64_C (64) << 40;
  struct vhd_image image;

  vhd_image_init (&image, VHD_DYNAMIC, largest, UINT32_C (1) << 31);
  check_open (&image, 0, NULL, NULL);
  vhd_image_free (&image);
  vhd_image_init (&image, VHD_DYNAMIC, largest + 512, UINT32_C (1) << 31);
  check_open (&image, EINVAL, "disk.vhd: footer: disk of 70368744178176 "
              "bytes, must be at most 70368744177664 unless it is fixed",
              NULL);
  vhd_image_free (&image);
}
END_TEST

/* The BAT need not be there to be refused. */
START_TEST (test_largest_bat)
{
  struct vhd_image image;

  vhd_image_init (&image, VHD_DYNAMIC, 4096, 4096);
  vhd_image_header (&image)->max_table_entries = to_be32 (UINT32_MAX);
  vhd_image_fix (&image);
  check_open (&image, 0, NULL, NULL);
  vhd_image_footer (&image)->current_size =
    to_be64 (((UINT64_C (1) << 28) + 1) * 4096);
  vhd_image_fix (&image);
  check_open (&image, EINVAL, "disk.vhd: header: the disk needs 268435457 "
              "BAT entries, must be at most 268435456", NULL);
  vhd_image_free (&image);
}
END_TEST

START_TEST (test_empty)
{
  struct vhd_image image;

  vhd_image_init (&image, VHD_DYNAMIC, 0, BLOCK);
  check_open (&image, 0, NULL, NULL);
  vhd_image_header (&image)->table_offset = to_be64 (image.size + 1);
  vhd_image_fix (&image);
  check_open (&image, EINVAL, "disk.vhd: header: BAT of 0 entries at offset "
              "3073 reaches beyond the end of the file (3072 bytes)", NULL);
  vhd_image_free (&image);

  vhd_image_init (&image, VHD_FIXED, 0, 0);
  check_open (&image, 0, NULL, NULL);
  image.size = 511;
  check_open (&image, 0, NULL, NULL);
  image.size = 510;
  check_open (&image, EINVAL, "disk.vhd: footer: the file has 510 bytes, a "
              "footer takes 511", NULL);
  vhd_image_free (&image);
}
END_TEST

/* What becomes of one footer, or both. */

enum damage { NONE, CUT, SHORT, PADDED, ZEROED, BAD_SUM, BAD_TYPE };

static void
damage_footer (struct vhd_image *image, struct vhd_footer *footer,
               enum damage damage)
{
  switch (damage) {
  case NONE: break;
  case CUT: image->size -= 512; break;
  case SHORT: image->size--; break;
  case PADDED: image->size += 4096; break;
  case ZEROED: memset (footer, 0, sizeof *footer); break;
  case BAD_SUM: footer->reserved[400] ^= 1; break;
  case BAD_TYPE:
    /* 4 less in the type is 4 more in its complement. */
    footer->type = to_be32 (7);
    footer->checksum = to_be32 (get_be32 (footer->checksum) - 4);
    break;
  }
}

#define END_BAD ": using the copy at the start of the file"
#define COPY_BAD ": using the footer at the end of the file"
#define NO_COOKIE "no cookie \"conectix\""
#define BAD_SUM_TEXT "checksum 0xfffff705, expected 0xfffff704"
#define BAD_TYPE_TEXT \
  "type 7, must be 2 (fixed), 3 (dynamic) or 4 (differencing)"

static const struct {
  enum damage end, copy;
  const char *error, *warning;  /* after "disk.vhd: " */
} footers[] = {
  { NONE, NONE, NULL, NULL },
  { SHORT, NONE, NULL, NULL },
  { CUT, NONE, NULL, "footer: " NO_COOKIE END_BAD },
  { PADDED, NONE, NULL, "footer: " NO_COOKIE END_BAD },
  { ZEROED, NONE, NULL, "footer: " NO_COOKIE END_BAD },
  { BAD_SUM, NONE, NULL, "footer: " BAD_SUM_TEXT END_BAD },
  { BAD_TYPE, NONE, NULL, "footer: " BAD_TYPE_TEXT END_BAD },
  { NONE, ZEROED, NULL, "footer copy: " NO_COOKIE COPY_BAD },
  { NONE, BAD_SUM, NULL, "footer copy: " BAD_SUM_TEXT COPY_BAD },
  { NONE, BAD_TYPE, NULL, "footer copy: " BAD_TYPE_TEXT COPY_BAD },
  { SHORT, ZEROED, NULL, "footer copy: " NO_COOKIE COPY_BAD },
  { CUT, ZEROED,
    "footer: " NO_COOKIE "; footer copy: " NO_COOKIE, NULL },
  { ZEROED, BAD_SUM,
    "footer: " NO_COOKIE "; footer copy: " BAD_SUM_TEXT, NULL },
  { BAD_SUM, BAD_TYPE,
    "footer: " BAD_SUM_TEXT "; footer copy: " BAD_TYPE_TEXT, NULL },
};

START_TEST (test_footers)
{
  char error[512] = "", warning[512] = "";
  struct vhd_image image;

  vhd_image_init (&image, VHD_DYNAMIC, DISK, BLOCK);
  image.bytes = realloc (image.bytes, image.size + 4096);
  memset (image.bytes + image.size, 0, 4096);
  damage_footer (&image, vhd_image_copy (&image), footers[_i].copy);
  damage_footer (&image, vhd_image_footer (&image), footers[_i].end);
  if (footers[_i].error)
    snprintf (error, sizeof error, "disk.vhd: %s", footers[_i].error);
  if (footers[_i].warning)
    snprintf (warning, sizeof warning, "disk.vhd: %s", footers[_i].warning);
  check_open (&image, EINVAL, *error ? error : NULL, warning);
  vhd_image_free (&image);
}
END_TEST

/* The footer at the end counts when both are right. */
START_TEST (test_end_wins)
{
  struct vhd_image image;
  struct layer *layer;
  uint8_t copy[512];

  vhd_image_init_bat (&image, VHD_DYNAMIC, DISK, BLOCK, 4);
  memcpy (copy, image.bytes, sizeof copy);
  vhd_image_footer (&image)->current_size = to_be64 (8 * MB);
  vhd_image_fix (&image);
  memcpy (image.bytes, copy, sizeof copy);
  layer = vhd_image_open (&image, NULL);
  ck_assert_uint_eq (layer->size, 8 * MB);
  ck_assert_str_eq (last_warning (), "disk.vhd: footer copy: current size "
                    "5243392 and not 8388608" COPY_BAD);
  layer_close (layer);
  vhd_image_free (&image);
}
END_TEST

/* Two that are right, but differ. */

#define UUID "00010203-0405-0607-0809-0a0b0c0d0e0f"

static const struct {
  size_t offset;
  unsigned width;
  uint64_t value;               /* of the copy */
  const char *warning;          /* after "disk.vhd: footer copy: " */
} differences[] = {
  { FIELD (vhd_footer, current_size), 4 * MB,
    "current size 4194304 and not 5243392" },
  { FIELD (vhd_footer, type), VHD_DIFFERENCING, "type 4 and not 3" },
  { offsetof (struct vhd_footer, uuid), 1, 0xff,
    "UUID ff010203-0405-0607-0809-0a0b0c0d0e0f and not " UUID },
  /* Nothing that makes it another disk. */
  { FIELD (vhd_footer, time_stamp), 77, NULL },
  { FIELD (vhd_footer, saved_state), 1, NULL },
  { FIELD (vhd_footer, original_size), 512, NULL },
};

START_TEST (test_footers_differ)
{
  struct vhd_image image, other;
  char warning[512] = "";

  vhd_image_init (&image, VHD_DYNAMIC, DISK, BLOCK);
  vhd_image_init (&other, VHD_DYNAMIC, DISK, BLOCK);
  put_be ((uint8_t *) vhd_image_footer (&other) + differences[_i].offset,
          differences[_i].width, differences[_i].value);
  vhd_image_fix (&other);
  memcpy (image.bytes, other.bytes, 512);
  if (differences[_i].warning)
    snprintf (warning, sizeof warning, "disk.vhd: footer copy: %s" COPY_BAD,
              differences[_i].warning);
  check_open (&image, 0, NULL, warning);
  vhd_image_free (&image);
  vhd_image_free (&other);
}
END_TEST

/* The last byte of a 511-byte footer counts as 0, whatever it was. */
START_TEST (test_short_footer)
{
  struct vhd_image image;

  vhd_image_init (&image, VHD_FIXED, 4096, 0);
  image.size--;
  check_open (&image, 0, NULL, NULL);
  image.size++;
  vhd_image_footer (&image)->reserved[425] = 1;
  vhd_image_fix (&image);
  check_open (&image, 0, NULL, NULL);
  image.size--;
  check_open (&image, EINVAL, "disk.vhd: footer: checksum 0xffffef51, "
              "expected 0xffffef52; footer copy: no cookie \"conectix\"",
              NULL);
  vhd_image_free (&image);
}
END_TEST

/* What the guest writes at the start of a fixed disk is no footer of
 * ours, which is told. */
START_TEST (test_fixed_has_no_copy)
{
  struct vhd_image image, forged;

  vhd_image_init (&image, VHD_FIXED, 65536, 0);
  memcpy (image.bytes, vhd_image_footer (&image), 512);
  check_open (&image, 0, NULL, NULL);
  vhd_image_init (&forged, VHD_DYNAMIC, DISK, BLOCK);
  memcpy (image.bytes, forged.bytes, forged.size);
  check_open (&image, 0, NULL, "disk.vhd: footer copy: current size 5243392 "
              "and not 65536, type 3 and not 2" COPY_BAD);

  memcpy (image.bytes, vhd_image_footer (&image), 512);
  vhd_image_footer (&image)->cookie[0] = 'C';
  check_open (&image, EINVAL, "disk.vhd: footer: no cookie \"conectix\"; "
              "footer copy: type 2 (fixed), which has no copy", NULL);
  vhd_image_free (&image);
  vhd_image_free (&forged);
}
END_TEST

START_TEST (test_fixed_size)
{
  struct vhd_image image;

  vhd_image_init (&image, VHD_FIXED, 4096, 0);
  vhd_image_footer (&image)->current_size = to_be64 (4097);
  vhd_image_fix (&image);
  check_open (&image, EINVAL, "disk.vhd: footer: disk of 4097 bytes, but "
              "there are only 4096 before the footer", NULL);
  vhd_image_footer (&image)->current_size = to_be64 (UINT64_MAX);
  vhd_image_fix (&image);
  check_open (&image, EINVAL, "disk.vhd: footer: disk of "
              "18446744073709551615 bytes, but there are only 4096 before "
              "the footer", NULL);
  vhd_image_free (&image);
}
END_TEST

#define CURRENT (4 * MB + 512)
#define CHS_SIZE (UINT64_C (200) * 2 * 17 * 512)

static const struct {
  char creator[5];
  uint16_t cylinders;
  uint8_t heads, sectors;
  const char *rule;
  uint64_t size;
} sizes[] = {
  { "vpc ", 200, 2, 17, "auto", CHS_SIZE },
  { "qemu", 200, 2, 17, "auto", CHS_SIZE },
  { "win ", 200, 2, 17, "auto", CURRENT },
  { "qem2", 200, 2, 17, "auto", CURRENT },
  { "d2v ", 200, 2, 17, "auto", CURRENT },
  { "tap\0", 200, 2, 17, "auto", CURRENT },
  { "CTXS", 200, 2, 17, "auto", CURRENT },
  { "caml", 200, 2, 17, "auto", CURRENT },
  { "vbox", 200, 2, 17, "auto", CURRENT },
  { "vs  ", 200, 2, 17, "auto", CURRENT },
  { "wa\0\0", 200, 2, 17, "auto", CURRENT },
  { "QEMU", 200, 2, 17, "auto", CURRENT },
  { "", 200, 2, 17, "auto", CURRENT },
  /* A geometry that says nothing. */
  { "vpc ", 65535, 16, 255, "auto", CURRENT },
  { "qemu", 65535, 16, 255, "auto", CURRENT },
  { "qemu", 65535, 16, 255, "chs", CURRENT },
  { "vpc ", 0, 16, 63, "auto", CURRENT },
  { "vpc ", 1, 0, 63, "auto", CURRENT },
  { "vpc ", 1, 16, 0, "chs", CURRENT },
  { "vpc ", 65535, 1, 1, "auto", 65535 * 512 },
  { "vpc ", 65535, 16, 254, "auto", UINT64_C (65535) * 16 * 254 * 512 },
  { "vpc ", 65535, 15, 255, "auto", UINT64_C (65535) * 15 * 255 * 512 },
  { "vpc ", 65534, 16, 255, "auto", UINT64_C (65534) * 16 * 255 * 512 },
  /* The user knows better. */
  { "win ", 200, 2, 17, "chs", CHS_SIZE },
  { "vpc ", 200, 2, 17, "current", CURRENT },
  { "vpc ", 200, 2, 17, "chs", CHS_SIZE },
  { "win ", 200, 2, 17, "current", CURRENT },
  /* No overflow. */
  { "vpc ", 65535, 255, 255, "auto", UINT64_C (65535) * 255 * 255 * 512 },
};

START_TEST (test_size)
{
  struct vdisk_options *options = vdisk_options_new ();
  struct vdisk_error error = { 0 };
  struct vhd_footer *footer;
  struct vhd_image image;
  struct layer *layer;

  vdisk_options_set (options, "size", sizes[_i].rule, &error);
  vhd_image_init_bat (&image, VHD_DYNAMIC, CURRENT, 512 * MB, 0xffff);
  footer = vhd_image_footer (&image);
  memcpy (footer->creator, sizes[_i].creator, 4);
  footer->cylinders = to_be16 (sizes[_i].cylinders);
  footer->heads = sizes[_i].heads;
  footer->sectors = sizes[_i].sectors;
  vhd_image_fix (&image);
  layer = vhd_image_open (&image, options);
  ck_assert_uint_eq (layer->size, sizes[_i].size);
  layer_close (layer);
  vhd_image_free (&image);
  vdisk_options_free (options);
}
END_TEST

START_TEST (test_close_nothing)
{
  struct layer layer = { 0 };

  format_vhd.close (&layer);
  ck_assert_ptr_null (layer.state);
}
END_TEST

static bool
probe_bytes (const uint8_t *bytes, size_t size)
{
  struct probe probe = { .head_size = size, .tail_size = size };

  ck_assert_uint_le (size, 512);
  memcpy (probe.head, bytes, size);
  memcpy (probe.tail + 512 - size, bytes, size);
  return format_vhd.probe (&probe);
}

START_TEST (test_probe)
{
  uint8_t bytes[512] = { 0 };
  struct probe probe = { .head_size = 512, .tail_size = 512 };

  ck_assert (!format_vhd.probe (&probe));
  ck_assert (!probe_bytes (bytes, 512));
  ck_assert (!probe_bytes (bytes, 0));
  memcpy (probe.tail + 1, "conectix", 8);
  ck_assert (format_vhd.probe (&probe));
  memcpy (probe.tail, "conectix", 8);
  ck_assert (format_vhd.probe (&probe));
  memcpy (probe.tail, "conectiX", 8);
  ck_assert (!format_vhd.probe (&probe));
  memcpy (probe.head, "conectix", 8);
  ck_assert (format_vhd.probe (&probe));
  memcpy (bytes, "conectix", 8);
  ck_assert (probe_bytes (bytes, 511));
  ck_assert (!probe_bytes (bytes, 7));
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("vhd");
  TCase *tc = tcase_create ("vhd");

  tcase_add_test (tc, test_dynamic);
  tcase_add_test (tc, test_fixed);
  tcase_add_loop_test (tc, test_lie, 0, LEN (lies));
  tcase_add_test (tc, test_largest);
  tcase_add_test (tc, test_largest_bat);
  tcase_add_test (tc, test_empty);
  tcase_add_loop_test (tc, test_footers, 0, LEN (footers));
  tcase_add_test (tc, test_end_wins);
  tcase_add_loop_test (tc, test_footers_differ, 0, LEN (differences));
  tcase_add_test (tc, test_short_footer);
  tcase_add_test (tc, test_fixed_has_no_copy);
  tcase_add_test (tc, test_fixed_size);
  tcase_add_loop_test (tc, test_size, 0, LEN (sizes));
  tcase_add_test (tc, test_close_nothing);
  tcase_add_test (tc, test_probe);
  suite_add_tcase (suite, tc);
  return run_suite (suite);
}
