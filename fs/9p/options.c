/* SPDX-License-Identifier: BSD-2-Clause */
/* Mount options, by the names that Linux's v9fs gives them. cache=mmap and cache=readahead are cache=none
 * here, which maps files in any case. */
#include "base/format.h"
#include "base/string.h"
#include "p9.h"

#define MSIZE_DEFAULT (512u << 10)
#define MSIZE_MOST    (4u << 20)

struct word {
	const char *key, *value; /* VALUE NULL: none */
	size_t key_len, value_len;
};

static bool text_is(const char *s, size_t len, const char *text)
{
	return s && strlen(text) == len && !memcmp(s, text, len);
}

static int copy_value(const struct word *w, char *out, size_t size)
{
	if (!w->value || w->value_len >= size)
		return -EINVAL;
	memcpy(out, w->value, w->value_len);
	out[w->value_len] = 0;
	return 0;
}

static int number(const struct word *w, u64 most, u32 *out)
{
	const char *end;
	u64 v;

	if (!w->value || !w->value_len || w->value[0] < '0' || w->value[0] > '9')
		return -EINVAL;
	v = str_to_u64(w->value, &end);
	if (end != w->value + w->value_len || v > most)
		return -EINVAL;
	*out = (u32)v;
	return 0;
}

static int cache_mode(const struct word *w, struct p9_options *o)
{
	static const struct {
		const char *name;
		enum p9_cache mode;
	} modes[] = {{"none", P9_CACHE_NONE},
		     {"0", P9_CACHE_NONE},
		     {"mmap", P9_CACHE_NONE},
		     {"readahead", P9_CACHE_NONE},
		     {"loose", P9_CACHE_LOOSE}};

	for (unsigned n = 0; n < ARRAY_SIZE(modes); n++)
		if (text_is(w->value, w->value_len, modes[n].name)) {
			o->cache = modes[n].mode;
			return 0;
		}
	return -EINVAL;
}

static int access_mode(const struct word *w, struct p9_options *o)
{
	if (text_is(w->value, w->value_len, "user") || text_is(w->value, w->value_len, "any"))
		return 0;
	o->access_client = text_is(w->value, w->value_len, "client");
	return o->access_client ? 0 : number(w, P9_NONUNAME - 1, &o->access_uid);
}

static int option(const struct word *w, struct p9_options *o)
{
	u32 ignored;

	if (text_is(w->key, w->key_len, "trans"))
		return text_is(w->value, w->value_len, "virtio") ? 0 : -EINVAL;
	if (text_is(w->key, w->key_len, "version"))
		return text_is(w->value, w->value_len, "9p2000.L") ? 0 : -EINVAL;
	if (text_is(w->key, w->key_len, "msize"))
		return number(w, ~0u, &o->msize) || o->msize < 4096 ? -EINVAL : 0;
	if (text_is(w->key, w->key_len, "cache"))
		return cache_mode(w, o);
	if (text_is(w->key, w->key_len, "access"))
		return access_mode(w, o);
	if (text_is(w->key, w->key_len, "uname"))
		return copy_value(w, o->uname, sizeof o->uname);
	if (text_is(w->key, w->key_len, "aname"))
		return copy_value(w, o->aname, sizeof o->aname);
	if (text_is(w->key, w->key_len, "dfltuid"))
		return number(w, P9_NONUNAME - 1, &o->default_uid);
	if (text_is(w->key, w->key_len, "dfltgid") || text_is(w->key, w->key_len, "debug"))
		return number(w, ~0u, &ignored); /* of older dialects */
	if (text_is(w->key, w->key_len, "loose") && !w->value) {
		o->cache = P9_CACHE_LOOSE;
		return 0;
	}
	return text_is(w->key, w->key_len, "nodevmap") && !w->value ? 0 : -EINVAL;
}

int p9_options_parse(const char *text, struct p9_options *o)
{
	*o = (struct p9_options){
		.msize = MSIZE_DEFAULT, .access_uid = P9_NONUNAME, .default_uid = P9_NONUNAME};
	str_copy(o->uname, "nobody", sizeof o->uname);
	while (*text) {
		const char *end = strchr(text, ','), *eq;
		size_t len = end ? (size_t)(end - text) : strlen(text);
		struct word w = {.key = text, .key_len = len};
		int err;

		eq = memchr(text, '=', len);
		if (eq) {
			w.key_len = (size_t)(eq - text);
			w.value = eq + 1;
			w.value_len = len - w.key_len - 1;
		}
		err = len ? option(&w, o) : 0;
		if (err)
			return err;
		text += len + (end != NULL);
	}
	o->msize = min(o->msize, MSIZE_MOST);
	return 0;
}

size_t p9_show_options(struct super *s, char *buf, size_t size)
{
	struct p9_super *ps = p9_super(s);
	size_t n;

	n = (size_t)scnprintf(buf, size, ",trans=virtio,version=9p2000.L,msize=%u,cache=%s",
			      ps->client->msize, ps->cache == P9_CACHE_LOOSE ? "loose" : "none");
	if (ps->access_client)
		n += (size_t)scnprintf(buf + n, size - n, ",access=client");
	else if (ps->access_uid != P9_NONUNAME)
		n += (size_t)scnprintf(buf + n, size - n, ",access=%u", ps->access_uid);
	else
		n += (size_t)scnprintf(buf + n, size - n, ",access=user");
	if (*ps->aname)
		n += (size_t)scnprintf(buf + n, size - n, ",aname=%s", ps->aname);
	return n;
}
