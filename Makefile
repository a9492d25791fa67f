# SPDX-License-Identifier: BSD-2-Clause
# Builds the kernel. Sources are found, not listed: every .c and .S below kernel/, fs/ and net/ is kernel code.
#
#   make                 build/kernel/kernel.elf (stripped) and kernel.debug.elf
#   make DEBUG=1         with assertions (lock order, list integrity, page accounting), in build/kernel-debug/
#   make objs DIR=fs     only compile what lies below a folder
#   make clang-check     clang-format, clang-tidy
#   Host parts: make -C tests/unit, httpserver, runtime-glue/jvm, tests/guest

BUILD ?= build/kernel$(if $(DEBUG),-debug)
CC ?= gcc
ARCH := x86_64

VDSO_SRC := kernel/arch/$(ARCH)/vdso/vclock.c
SRCS := $(filter-out $(VDSO_SRC),$(sort $(shell find kernel fs net -name '*.c' -o -name '*.S')))
OBJS := $(SRCS:%=$(BUILD)/obj/%.o)
GENERATED := $(BUILD)/gen/syscall_table.c
OBJS += $(BUILD)/gen/syscall_table.o

# The paths of system calls, sleeping and waking run through many small functions of many files: these are
# optimised as one.
LTO := $(if $(DEBUG),,-flto=2 -fno-fat-lto-objects -flto-partition=one)
LTO_OBJS := $(filter $(addprefix $(BUILD)/obj/,kernel/sched/% kernel/syscall/dispatch.c.o kernel/ipc/pipe.c.o kernel/mm/tlb.c.o \
	kernel/lib/iter.c.o kernel/lib/rbtree.c.o fs/vfs/rw.c.o fs/vfs/syscalls_rw.c.o fs/vfs/file.c.o fs/vfs/fdtable.c.o \
	$(addprefix kernel/arch/$(ARCH)/,cpu/cpu.c.o cpu/fpu.c.o cpu/thread.c.o mm/app.c.o time/clock.c.o)),$(filter %.c.o,$(OBJS)))

# What runs often is optimised for speed, everything else for size.
FAST := $(addprefix kernel/,$(addprefix arch/$(ARCH)/,cpu/cpu cpu/fpu cpu/thread irq/apic irq/irq mm/% signal time/clock) \
		drivers/virtio/blk drivers/virtio/net_rx drivers/virtio/net_tx drivers/virtio/queue% \
		ipc/epoll% ipc/eventfd ipc/pipe ipc/poll% ipc/select lib/builtins lib/iter lib/rbtree lib/siphash lib/string \
		mm/access mm/buddy mm/fault% mm/fork mm/gap mm/kmalloc mm/madvise mm/m%map mm/mprotect mm/page% mm/rmap mm/slab mm/thp \
		mm/tlb mm/vm% mm/zap proc/clone proc/signal_deliver proc/signal_send syscall/dispatch time/clocks time/nanosleep \
		$(addprefix sched/,account eevdf futex futex_pi futex_syscall idle mutex rcu rt runqueue rwlock switch thread tick timer wait wake)) \
	$(addprefix fs/,erofs/d% erofs/lz4 erofs/zmap tmpfs/dir tmpfs/file vfs/dcache vfs/fdtable vfs/file vfs/inode vfs/open \
		vfs/pagecache% vfs/path vfs/permission vfs/radix vfs/readahead vfs/rw vfs/syscalls_rw vfs/syscalls_stat vfs/walk) \
	$(addprefix net/,core/checksum core/device core/gso core/loopback core/packet core/ports core/route core/stack ipv4/ip4_% \
		ipv6/ip6_% socket/file socket/inet socket/queue socket/socket socket/syscalls_% tcp/tcp_a% tcp/tcp_c% tcp/tcp_i% \
		tcp/tcp_l% tcp/tcp_o% tcp/tcp_queue tcp/tcp_recv tcp/tcp_se% tcp/tcp_t% udp/udp_% unix/unix_message unix/unix_socket)
FAST_OBJS := $(filter $(FAST:%=$(BUILD)/obj/%.c.o),$(OBJS))

# The Linux ABI's structures and numbers come from linux-libc-dev; nothing else of /usr/include is visible.
UAPI := build/uapi
INCLUDES := -nostdinc -isystem $(shell $(CC) -print-file-name=include) -isystem $(UAPI) \
	-I. -Ikernel/include -Ikernel/arch/$(ARCH)/include -Ifs/include -Inet/include
CFLAGS := -std=gnu17 -Oz -g -ffreestanding -fno-strict-aliasing -fno-common -fwrapv -fno-omit-frame-pointer \
	-fno-delete-null-pointer-checks -fno-asynchronous-unwind-tables \
	-fPIE -fvisibility=hidden -ffunction-sections -fdata-sections \
	-include base/visibility.h -mno-red-zone -mgeneral-regs-only -mcmodel=small \
	-mmemcpy-strategy=libcall:-1:noalign -mmemset-strategy=libcall:-1:noalign \
	-fstack-protector-strong -mstack-protector-guard=tls -mstack-protector-guard-reg=gs \
	-mstack-protector-guard-symbol=stack_guard \
	-Wall -Wextra -Werror -Wno-unused-parameter -Wmissing-prototypes -Wstrict-prototypes -Wvla \
	$(if $(DEBUG),-DDEBUG) $(INCLUDES)
LDFLAGS := -nostdlib -static-pie -Wl,--no-dynamic-linker,-z,text,-z,norelro,-z,noexecstack,-z,pack-relative-relocs,--gc-sections,--build-id=none \
	-Wl,-T,kernel/arch/$(ARCH)/kernel.ld -Wl,-z,max-page-size=4096,-O2,-n

.PHONY: all objs clean check-percpu check-docs compile_commands.json
all: $(BUILD)/kernel.elf

$(BUILD)/kernel.elf: $(BUILD)/kernel.debug.elf
	objcopy --strip-all $< $@
$(BUILD)/kernel.debug.elf: $(OBJS) kernel/arch/$(ARCH)/kernel.ld
	$(CC) $(CFLAGS) -O2 $(LTO) $(LDFLAGS) -o $@ $(OBJS)

$(LTO_OBJS): CFLAGS += $(LTO)
$(FAST_OBJS): CFLAGS += -O2 -falign-jumps=1 -falign-loops=1 -falign-labels=1

# Per-CPU accesses that GCC compiled without their segment; stale generated documents.
check-percpu: $(BUILD)/kernel.debug.elf
	@python3 scripts/check_percpu.py $<
check-docs:
	@python3 scripts/gen_docs.py --check && echo "ok docs are up to date"

objs: $(filter $(BUILD)/obj/$(DIR)/%,$(OBJS))

$(UAPI)/.stamp:
	@mkdir -p $(UAPI)
	@ln -sfn /usr/include/linux $(UAPI)/linux
	@ln -sfn /usr/include/asm-generic $(UAPI)/asm-generic
	@ln -sfn /usr/include/x86_64-linux-gnu/asm $(UAPI)/asm
	@touch $@

$(BUILD)/obj/%.c.o: %.c Makefile | $(UAPI)/.stamp
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/obj/%.S.o: %.S Makefile | $(UAPI)/.stamp
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -D__ASSEMBLY__ -MMD -MP -c -o $@ $<

# The vDSO is application code: a shared object of its own, embedded in the kernel image.
$(BUILD)/vdso.so: $(VDSO_SRC) kernel/arch/$(ARCH)/vdso/vdso.lds | $(UAPI)/.stamp
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -O2 -g -ffreestanding -fPIC -fno-stack-protector -mno-red-zone -fasynchronous-unwind-tables \
		-Wall -Wextra -Werror -Wno-unused-parameter $(INCLUDES) -nostdlib -shared -Wl,-soname=linux-vdso.so.1 \
		-Wl,--hash-style=both,-Bsymbolic,--eh-frame-hdr,--no-undefined,--build-id=none,-z,noexecstack \
		-Wl,-T,kernel/arch/$(ARCH)/vdso/vdso.lds -o $@ $<
$(BUILD)/vdso.stripped.so: $(BUILD)/vdso.so
	objcopy -S $< $@
$(BUILD)/obj/kernel/arch/$(ARCH)/time/vdso_image.S.o: $(BUILD)/vdso.stripped.so
$(BUILD)/obj/kernel/arch/$(ARCH)/time/vdso_image.S.o: CFLAGS += -DVDSO_SO='"$(BUILD)/vdso.stripped.so"'

$(BUILD)/gen/syscall_table.c: scripts/gen_syscall_table.py | $(UAPI)/.stamp
	@mkdir -p $(@D)
	python3 $< $(UAPI)/asm/unistd_64.h > $@
$(BUILD)/gen/syscall_table.o: $(BUILD)/gen/syscall_table.c
	$(CC) $(CFLAGS) -c -o $@ $<

compile_commands.json:
	python3 scripts/gen_compile_commands.py '$(CC) $(CFLAGS)' $(filter %.c,$(SRCS)) > $@

clean:
	rm -rf build

-include $(OBJS:.o=.d)
