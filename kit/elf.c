/* SPDX-License-Identifier: BSD-2-Clause */
/* The dynamic symbols of a shared object, read from its file without loading it. */
#include <elf.h>
#include <link.h>
#include <stdlib.h>

#include "kit/inside.h"

/* No plugin is larger. */
#define FILE_MAX ((size_t)256 << 20)

/* Is offset .. offset + n inside a file of len bytes? */
static bool fits(size_t len, uint64_t offset, uint64_t n)
{
	return offset <= len && n <= len - offset;
}

static bool walk(const char *data, const ElfW(Shdr) *symbols, const ElfW(Shdr) *names,
		 int (*fn)(void *arg, const char *name, bool is_defined), void *arg)
{
	const char *text = data + names->sh_offset;
	if (names->sh_size == 0 || text[names->sh_size - 1] != '\0')
		return false;
	for (uint64_t i = 1; i < symbols->sh_size / sizeof(ElfW(Sym)); i++) {
		ElfW(Sym) symbol;
		memcpy(&symbol, data + symbols->sh_offset + i * sizeof(symbol),
		       sizeof(symbol));
		unsigned bind = symbol.st_info >> 4;
		if (symbol.st_name >= names->sh_size ||
		    (bind != STB_GLOBAL && bind != STB_WEAK))
			continue;
		if (fn(arg, text + symbol.st_name, symbol.st_shndx != SHN_UNDEF) != 0)
			break;
	}
	return true;
}

static bool read_sections(const char *data, size_t len,
			  int (*fn)(void *arg, const char *name, bool is_defined), void *arg)
{
	ElfW(Ehdr) head;
	if (len < sizeof(head) || memcmp(data, ELFMAG, SELFMAG) != 0)
		return false;
	memcpy(&head, data, sizeof(head));
	if (head.e_shentsize != sizeof(ElfW(Shdr)) ||
	    !fits(len, head.e_shoff, (uint64_t)head.e_shnum * sizeof(ElfW(Shdr))))
		return false;
	for (unsigned i = 0; i < head.e_shnum; i++) {
		ElfW(Shdr) symbols, names;
		memcpy(&symbols, data + head.e_shoff + i * sizeof(symbols), sizeof(symbols));
		if (symbols.sh_type != SHT_DYNSYM || symbols.sh_link >= head.e_shnum)
			continue;
		memcpy(&names, data + head.e_shoff + symbols.sh_link * sizeof(names),
		       sizeof(names));
		return fits(len, symbols.sh_offset, symbols.sh_size) &&
		       fits(len, names.sh_offset, names.sh_size) &&
		       walk(data, &symbols, &names, fn, arg);
	}
	return false;
}

bool kit_elf_names(const char *file, int (*fn)(void *arg, const char *name, bool is_defined),
		   void *arg)
{
	char *data = NULL;
	size_t len;
	if (kl_os_read_file(kl_os_real(), file, FILE_MAX, &data, &len) != 0)
		return false;
	bool good = read_sections(data, len, fn, arg);
	free(data);
	return good;
}
