/* SPDX-License-Identifier: BSD-2-Clause */
#include "admission.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

#define JSON "application/json"

/* ---- who may ask ---- */

static enum MHD_Result count_framing(void *counts, enum MHD_ValueKind kind, const char *name,
				     const char *value)
{
	static const char *const names[] = {"Host", "Content-Length", "Transfer-Encoding"};

	(void)kind, (void)value;
	for (unsigned i = 0; i < 3; i++)
		((unsigned *)counts)[i] += !strcasecmp(name, names[i]);
	return MHD_YES;
}

/* RFC 9112: what could be read in two ways, by us and by somebody on the way, is not read at all. */
static bool ambiguous(struct MHD_Connection *connection)
{
	unsigned n[3] = {0};

	MHD_get_connection_values(connection, MHD_HEADER_KIND, count_framing, n);
	return n[0] > 1 || n[1] + n[2] > 1;
}

/* The host part of "host:port" or "[v6]:port" in NAME, lower-cased text compared. */
static bool host_known(const struct config *c, const char *host)
{
	char name[256];
	struct in_addr v4;
	struct in6_addr v6;
	size_t n = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");

	if (n >= sizeof name)
		return false;
	memcpy(name, host, n);
	name[n] = '\0';
	if (host[0] == '[') {
		name[n - 1] = '\0';
		return inet_pton(AF_INET6, name + 1, &v6) == 1;
	}
	if (inet_pton(AF_INET, name, &v4) == 1 || !strcasecmp(name, "localhost"))
		return true;
	for (char **h = c->api_hosts; h && *h; h++)
		if (!strcasecmp(name, *h))
			return true;
	return false;
}

/* A page of another origin may not use the API through a browser, and a name that is not ours is DNS
 * rebinding. */
bool http_admitted(struct http_request *r)
{
	const char *host = MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Host");
	const char *origin = MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Origin");

	if (ambiguous(r->connection)) {
		http_problem(r, 400, "ambiguous_request",
			     "There may be one Host, and one length of the body.");
		return false;
	}
	if (!host || !host_known(r->agent->config, host)) {
		http_problem(r, 421, "unknown_host", "The Host header names no host that this API serves.");
		return false;
	}
	if (origin) {
		const char *authority = strstr(origin, "://");

		if (!authority || strcmp(authority + 3, host)) {
			http_problem(r, 403, "foreign_origin",
				     "Requests from pages of another origin are refused.");
			return false;
		}
	}
	return true;
}

/* ---- what may be asked for, and sent (RFC 9110) ---- */

/* One media type against the ranges of Accept: the most specific range that covers it decides. */
struct acceptance {
	const char *type;
	int specific; /* of the range that decides: 0 any, 1 the type, 2 the subtype too, -1 none covers it */
	double quality;
	bool any_range;
};

static size_t trimmed(const char **s, size_t n)
{
	while (n && strchr(" \t", **s))
		(*s)++, n--;
	while (n && strchr(" \t", (*s)[n - 1]))
		n--;
	return n;
}

/* 2 when the N bytes at RANGE name TYPE, 1 for "type/" and a star, 0 for two stars, else -1. */
static int covers(const char *range, size_t n, const char *type)
{
	size_t major = strcspn(type, "/") + 1;

	if (n == 3 && !memcmp(range, "*/*", 3))
		return 0;
	if (n == major + 1 && range[major] == '*' && !strncasecmp(range, type, major))
		return 1;
	return n == strlen(type) && !strncasecmp(range, type, n) ? 2 : -1;
}

static double quality_of(const char *parameters, const char *end)
{
	for (const char *p = parameters; p < end; p++) {
		const char *name = p + 1;

		if (*p != ';')
			continue;
		size_t n = trimmed(&name, (size_t)(end - name));
		if (n > 2 && (*name | 32) == 'q' && name[1] == '=')
			return strtod(name + 2, NULL);
	}
	return 1;
}

static void consider(struct acceptance *a, const char *range, const char *end)
{
	size_t n = trimmed(&range, (size_t)(end - range));
	const char *semicolon = memchr(range, ';', n), *parameters = semicolon ? semicolon : range + n;

	a->any_range |= n > 0;
	n = trimmed(&range, (size_t)(parameters - range));
	int specific = covers(range, n, a->type);
	if (specific > a->specific) {
		a->specific = specific;
		a->quality = quality_of(parameters, end);
	}
}

static enum MHD_Result take_accept(void *acceptance, enum MHD_ValueKind kind, const char *name,
				   const char *value)
{
	(void)kind;
	if (!value || strcasecmp(name, "Accept"))
		return MHD_YES;
	for (const char *p = value;; p++) {
		const char *end = p + strcspn(p, ",");

		consider(acceptance, p, end);
		p = end;
		if (!*p)
			return MHD_YES;
	}
}

static bool acceptable(struct MHD_Connection *connection, const char *type)
{
	struct acceptance a = {.type = type, .specific = -1};

	MHD_get_connection_values(connection, MHD_HEADER_KIND, take_accept, &a);
	return !a.any_range || (a.specific >= 0 && a.quality > 0);
}

/* Bodies are JSON; what curl -d says of them by itself is let pass. */
static bool body_type_known(struct MHD_Connection *connection)
{
	static const char *const types[] = {JSON, "application/x-www-form-urlencoded"};
	const char *type = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Type");
	const char *coding = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Encoding");
	size_t n = type ? strcspn(type, "; \t") : 0;

	if (coding && strcasecmp(coding, "identity"))
		return false;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (!n || (n == strlen(types[i]) && !strncasecmp(type, types[i], n)))
			return true;
	return false;
}

bool http_negotiated(struct http_request *r, const struct http_route *t)
{
	const char *type = t->produces ? t->produces : JSON;
	const char *expect = MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Expect");
	const char *match = MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "If-Match");

	if (expect && strcasecmp(expect, "100-continue")) {
		http_problem(r, 417, "expectation_failed", "Only 100-continue can be expected.");
	} else if (!acceptable(r->connection, type)) {
		http_problem(r, 406, "not_acceptable", "%s is given as %s only.", t->path, type);
	} else if (match && strcmp(match, "*")) {
		http_problem(r, 412, "precondition_failed", "Nothing here has an entity tag.");
	} else if (r->raw_len && !body_type_known(r->connection)) {
		http_problem(r, 415, "unsupported_media_type",
			     "Send the body as " JSON ", without a content coding.");
		if (r->response)
			MHD_add_response_header(r->response, "Accept", JSON);
	} else {
		return true;
	}
	return false;
}
