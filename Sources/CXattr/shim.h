#pragma once
/* Extended attributes of files are part of the C library, but not of Swift's Glibc module. */
#include <sys/xattr.h>
