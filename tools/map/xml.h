/* SPDX-License-Identifier: BSD-3-Clause */
/* Text in XML documents. */

#ifndef VDISK_MAP_XML_H
#define VDISK_MAP_XML_H

#include "map/out.h"

/* Put any text, escaped as util/escape.h says, and so that this is itself
 * in an XML document. */
void xml_put_text (struct out *out, const char *text);

/* The same, with the middle left out if it is longer than 'max'
 * characters. */
void xml_put_shortened (struct out *out, const char *text, size_t max);

#endif /* VDISK_MAP_XML_H */
