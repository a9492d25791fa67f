# SPDX-License-Identifier: BSD-2-Clause
# libFuzzer over a file system. The Makefile that includes this names it (NAME), bounds its inputs (MAX_LEN, bytes) and has a rule
# `corpus` that makes build/fuzz/NAME-corpus.
#   make                build build/fuzz/fuzz_NAME
#   make run SECONDS=60 fuzz that long, beginning with the corpus
override ROOT := $(realpath $(dir $(lastword $(MAKEFILE_LIST)))/../..)
OUT := $(ROOT)/build/fuzz
SECONDS ?= 60
CLANG ?= clang
CORE := alloc app clock cmdline init io lib lock log page random rcu sched timer wait work fs
SRCS := $(wildcard $(addprefix $(ROOT)/fs/,vfs/*.c $(NAME)/*.c tmpfs/*.c)) $(addprefix $(ROOT)/kernel/,drivers/block.c lib/iter.c lib/rbtree.c)
HOST := $(CORE:%=$(ROOT)/tests/unit/host/%.c) $(ROOT)/tests/fuzz/$(NAME)/fuzz_$(NAME).c
SAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined
COMMON := -std=gnu17 -O1 -g -fno-strict-aliasing -fwrapv -fno-omit-frame-pointer -Wno-everything -DDEBUG $(SAN)
INCLUDES := -I$(ROOT)/tests/unit/host/include -I$(ROOT) -I$(ROOT)/kernel/include -I$(ROOT)/kernel/arch/x86_64/include -I$(ROOT)/fs/include -I$(ROOT)/net/include
KOBJ := $(SRCS:$(ROOT)/%.c=$(OUT)/obj/%.o)
HOBJ := $(HOST:$(ROOT)/%.c=$(OUT)/obj/%.o)

.PHONY: all corpus run
all: $(OUT)/fuzz_$(NAME)

$(OUT)/fuzz_$(NAME): $(KOBJ) $(HOBJ)
	$(CLANG) $(SAN) -fsanitize=fuzzer -o $@ $^ -lpthread
$(OUT)/uapi/.stamp:
	@mkdir -p $(@D) && ln -sfn /usr/include/linux $(@D)/linux && ln -sfn /usr/include/asm-generic $(@D)/asm-generic && \
		ln -sfn /usr/include/x86_64-linux-gnu/asm $(@D)/asm && touch $@
$(KOBJ): $(OUT)/obj/%.o: $(ROOT)/%.c | $(OUT)/uapi/.stamp
	@mkdir -p $(@D)
	$(CLANG) $(COMMON) -fsanitize=fuzzer-no-link -ffreestanding -nostdinc -isystem $(shell $(CLANG) -print-resource-dir)/include \
		-isystem $(OUT)/uapi $(INCLUDES) -c -o $@ $<
$(HOBJ): $(OUT)/obj/%.o: $(ROOT)/%.c
	@mkdir -p $(@D)
	$(CLANG) $(COMMON) -D_GNU_SOURCE -I$(ROOT)/tests/unit/host/include-libc -I$(ROOT)/tests/unit $(INCLUDES) -c -o $@ $<

run: all corpus
	cd $(OUT) && ./fuzz_$(NAME) -max_total_time=$(SECONDS) -max_len=$(MAX_LEN) -rss_limit_mb=1024 -timeout=10 -print_final_stats=1 $(NAME)-corpus
