/* SPDX-License-Identifier: BSD-2-Clause */
/* The random generator (kernel/random.h).
 *
 * Theory. Entropy from all sources is hashed into one pool (BLAKE2s). From the pool the base key is drawn, at
 * boot as soon as 256 bits are credited, then at growing intervals up to a minute, and whenever the
 * generation is bumped. Each CPU has a key of its own, split off the base key whenever the base key's epoch
 * is newer. To give out bytes a CPU runs ChaCha20 under its key: the first half of the block replaces the key
 * before anything is given out (fast key erasure, D. J. Bernstein 2017), so a later look into memory tells
 * nothing about earlier output; the second half is the output, or, when more is wanted, a key for just this
 * request. The common case touches only the CPU's own cache lines, with interrupts off for one block. Until
 * the first seeding the output is what RDRAND and boot times give: never blocks, and never handed out as
 * ready.
 *
 * Locks: `pool_lock` guards the pool and the credit; `base_lock` the base key. Pool before base. Both are
 * taken with interrupts off. */

#include "blake2s.h"
#include "chacha20.h"
#include "arch/cpu.h"
#include "base/err.h"
#include "base/string.h"
#include "kernel/clock.h"
#include "kernel/counter.h"
#include "kernel/init.h"
#include "kernel/percpu.h"
#include "kernel/random.h"
#include "kernel/spinlock.h"
#include "kernel/wait.h"

#define SEED_BITS	   256
#define RESEED_MAX_NS	   (60 * NSEC_PER_SEC)
#define RESEED_MIN_NS	   NSEC_PER_SEC
#define INTERRUPTS_PER_BIT 64

struct generator {
	u8 key[CHACHA20_KEY_SIZE];
	u64 epoch; /* of the base key that it was split off; 0: none yet */
};

struct fast_pool { /* of interrupt times; own CPU only, interrupts off */
	u64 acc[2];
	u32 count;
};

static struct blake2s pool;
static bool pool_used;
static unsigned credit; /* bits, at most SEED_BITS */
static struct spinlock pool_lock;

static u8 base_key[CHACHA20_KEY_SIZE];
static _Atomic u64 base_epoch; /* changed under base_lock; 0 before anything was mixed in */
static _Atomic u64 reseed_at;  /* CLOCK_MONOTONIC ns; ~0 until the first seeding */
static u64 reseed_interval = RESEED_MIN_NS;
static struct spinlock base_lock;

static void (*source_ask)(void); /* set once */
static _Atomic bool ready;
static DEFINE_WAITQ(ready_wait);
static DEFINE_PER_CPU(struct generator, generator);
static DEFINE_PER_CPU(struct fast_pool, fast_pool);

DEFINE_COUNTER(random_reseeds, "times that the base key was drawn from the entropy pool");

/* Clearing that the compiler cannot drop. */
static void wipe(void *p, size_t n)
{
	memset(p, 0, n);
	__asm__ volatile("" ::"r"(p) : "memory");
}

/* With pool_lock held: what every draw mixes in, whether credited or not. */
static void pool_stir(void)
{
	u64 words[4] = {arch_cycles(), 0, 0, 0};

	if (!pool_used) {
		blake2s_init(&pool);
		pool_used = true;
	}
	for (unsigned i = 1; i < ARRAY_SIZE(words); i++)
		if (!arch_random(&words[i]))
			words[i] = arch_cycles();
	blake2s_update(&pool, words, sizeof words);
}

/* A new base key from the pool, the old base key and the CPU. The pool goes on from a hash that does not give
 * away the key. */
static void reseed(void)
{
	u8 seed[BLAKE2S_SIZE], tag;
	struct blake2s h;
	u64 flags = spin_lock_irqsave(&pool_lock);

	pool_stir();
	blake2s_final(&pool, seed);
	blake2s_init(&pool);
	tag = 1;
	blake2s_update(&pool, &tag, 1);
	blake2s_update(&pool, seed, sizeof seed);

	spin_lock(&base_lock);
	blake2s_init(&h);
	tag = 2;
	blake2s_update(&h, &tag, 1);
	blake2s_update(&h, seed, sizeof seed);
	blake2s_update(&h, base_key, sizeof base_key);
	blake2s_final(&h, base_key);
	atomic_fetch_add_explicit(&base_epoch, 1, memory_order_release);
	if (credit >= SEED_BITS) {
		u64 now = clock_monotonic();

		atomic_store_explicit(&reseed_at, now + reseed_interval, memory_order_relaxed);
		reseed_interval = min(2 * reseed_interval, (u64)RESEED_MAX_NS);
	}
	spin_unlock(&base_lock);
	wipe(seed, sizeof seed);
	spin_unlock_irqrestore(&pool_lock, flags);
	counter_inc(&random_reseeds);
	if (source_ask)
		source_ask();
}

void random_register_source(void (*ask)(void))
{
	if (!source_ask)
		source_ask = ask;
}

/* With interrupts off: bring this CPU's key up to the base key's epoch. */
static void split_key(struct generator *g)
{
	static const u8 nonce[CHACHA20_NONCE_SIZE];
	u8 block[CHACHA20_BLOCK_SIZE];

	spin_lock(&base_lock);
	chacha20_block(base_key, 0, nonce, block);
	memcpy(base_key, block, sizeof base_key);
	memcpy(g->key, block + CHACHA20_KEY_SIZE, sizeof g->key);
	g->epoch = atomic_load_explicit(&base_epoch, memory_order_relaxed);
	spin_unlock(&base_lock);
	wipe(block, sizeof block);
}

static bool reseed_due(void)
{
	u64 at = atomic_load_explicit(&reseed_at, memory_order_relaxed);

	if (!atomic_load_explicit(&base_epoch, memory_order_relaxed))
		return true;
	return at && clock_monotonic() >= at;
}

void random_bytes(void *buf, size_t n)
{
	static const u8 nonce[CHACHA20_NONCE_SIZE];
	u8 block[CHACHA20_BLOCK_SIZE], key[CHACHA20_KEY_SIZE];
	struct generator *g;
	u8 *out = buf;
	u64 flags;

	if (unlikely(reseed_due()))
		reseed();
	flags = arch_irq_save();
	g = per_cpu_ptr(&generator, cpu_id());
	if (unlikely(g->epoch != atomic_load_explicit(&base_epoch, memory_order_acquire)))
		split_key(g);
	chacha20_block(g->key, 0, nonce, block);
	memcpy(g->key, block, sizeof g->key);
	arch_irq_restore(flags);

	memcpy(key, block + CHACHA20_KEY_SIZE, sizeof key);
	if (n <= sizeof key) {
		memcpy(out, key, n);
	} else {
		for (u32 counter = 0; n; counter++) {
			size_t part = min(n, sizeof block);

			chacha20_block(key, counter, nonce, block);
			memcpy(out, block, part);
			out += part;
			n -= part;
		}
	}
	wipe(block, sizeof block);
	wipe(key, sizeof key);
}

u64 random_u64(void)
{
	u64 v;

	random_bytes(&v, sizeof v);
	return v;
}

void random_add_entropy(const void *data, size_t n, unsigned bits)
{
	bool seeded_now = false;
	u64 flags = spin_lock_irqsave(&pool_lock);

	pool_stir();
	blake2s_update(&pool, data, n);
	if (credit < SEED_BITS) {
		credit = min(credit + bits, (unsigned)SEED_BITS);
		seeded_now = credit == SEED_BITS;
	}
	spin_unlock_irqrestore(&pool_lock, flags);
	if (seeded_now) {
		reseed();
		atomic_store_explicit(&ready, true, memory_order_release);
		waitq_wake_all(&ready_wait);
	}
}

void random_add_interrupt(u32 source)
{
	u64 flags = arch_irq_save();
	struct fast_pool *f = per_cpu_ptr(&fast_pool, cpu_id());
	u64 now = arch_cycles();

	/* Cheap and invertible: what matters is that nothing is lost before it is hashed. */
	f->acc[0] = (f->acc[0] << 19 | f->acc[0] >> 45) ^ now;
	f->acc[1] = (f->acc[1] + source) * 0x9e3779b97f4a7c15ull ^ now >> 7;
	if (++f->count % INTERRUPTS_PER_BIT == 0)
		random_add_entropy(f->acc, sizeof f->acc, 1);
	arch_irq_restore(flags);
}

void random_bump_generation(void)
{
	reseed();
}

bool random_ready(void)
{
	return atomic_load_explicit(&ready, memory_order_acquire);
}

/* With no source at all, the jitter of waking up is one: a bit for each millisecond's sleep. */
static void add_jitter(void)
{
	u64 sample = arch_cycles();

	random_add_entropy(&sample, sizeof sample, 1);
}

void random_wait_ready(void)
{
	while (!random_ready()) {
		(void)wait_event_until(&ready_wait, random_ready(), clock_monotonic() + NSEC_PER_MSEC);
		add_jitter();
	}
}

int random_wait_ready_interruptible(void)
{
	while (!random_ready()) {
		if (wait_event_interruptible_until(&ready_wait, random_ready(),
						   clock_monotonic() + NSEC_PER_MSEC) == -ERESTARTSYS)
			return -ERESTARTSYS;
		add_jitter();
	}
	return 0;
}

/* The CPU's instruction is trusted, as the hypervisor below is: it could read our memory anyway. */
static int random_init(void)
{
	u64 words[SEED_BITS / 64];
	unsigned got = 0;

	while (got < ARRAY_SIZE(words) && arch_random(&words[got]))
		got++;
	random_add_entropy(words, got * sizeof words[0], got * 64);
	wipe(words, sizeof words);
	return 0;
}
INITCALL(random_init, INIT_CORE);
