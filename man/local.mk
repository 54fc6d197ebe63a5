# SPDX-License-Identifier: MIT
# The manual. One page a line; a page is also found by the other names in its NAME section.

dist_man7_MANS = %D%/tricolor.7

dist_man3_MANS =
dist_man3_MANS += %D%/tri_arena.3
dist_man3_MANS += %D%/tri_collect.3
dist_man3_MANS += %D%/tri_init.3
dist_man3_MANS += %D%/tri_memmove.3
dist_man3_MANS += %D%/tri_new.3
dist_man3_MANS += %D%/tri_object.3
dist_man3_MANS += %D%/tri_root.3
dist_man3_MANS += %D%/tri_stack.3
dist_man3_MANS += %D%/tri_stats.3
dist_man3_MANS += %D%/tri_store.3
dist_man3_MANS += %D%/tri_thread.3
dist_man3_MANS += %D%/tri_type.3
dist_man3_MANS += %D%/tri_type_build.3

EXTRA_DIST += %D%/names

# do_for_aliases: runs $$command for each further name of each page, with $$alias and $$page.
do_for_aliases = \
	for page in $(dist_man3_MANS); do \
		page=`basename $$page`; \
		for name in `$(SHELL) $(srcdir)/%D%/names $(srcdir)/%D%/$$page`; do \
			alias="$(DESTDIR)$(man3dir)/$$name.3"; \
			test "$$name.3" = "$$page" || eval "$$command" || exit 1; \
		done; \
	done

install-data-hook:
	@command='echo ".so man3/$$page" >"$$alias"'; $(do_for_aliases)

uninstall-hook:
	@command='rm -f "$$alias"'; $(do_for_aliases)
