/* The packets of many calls, sent and received by one thread.
 *
 * A call has two ends, a browser (SRTP) and a phone (RTP), and each sends 50 packets a
 * second. Calls are spread over 20 slots of a millisecond; every payload names its
 * call, its end, its number and the time it was sent, so that the receiver finds what
 * was lost, repeated, slow, or delivered to somebody else. Calls are added and taken
 * away by another thread while this one runs; `state` is all that both may write.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SLOTS 20
#define SLOT_NS 1000000ull
#define PAYLOAD_BYTES 160
#define HEADER_BYTES 12
#define MAGIC 0x52424c44u
#define BINS 20000 /* of 10 us; the last holds what is later */

typedef int (*srtp_function)(void *context, void *packet, int *length);
enum { OFF, WARMING, COUNTING, SILENT };
enum { BROWSER, PHONE };

struct mark {
    uint32_t magic, call, number;
    uint8_t end, is_counted, padding[2];
    uint64_t sent_ns;
};

struct end {
    int fd;
    struct sockaddr_in to;
    void *protect, *unprotect;
    uint32_t ssrc, timestamp;
    uint16_t sequence;
    uint8_t payload_type;
    uint32_t number, newest;
    uint64_t window; /* bit n: newest - n has come */
    /* `seen`: anything of ours at all, also before counting. */
    uint64_t sent, received, seen, reordered, repeated, strayed, foreign, rejected, refused;
};

struct call {
    struct end ends[2];
    int state;
};

struct traffic {
    int count, poll, is_stopping, measures;
    uint64_t thread_cpu_ns, turns, slots, late_slots, latest_ns;
    srtp_function protect, unprotect;
    struct call *calls;
    uint32_t latency[2][BINS + 1], lateness[BINS + 1];
};

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static void note(uint32_t *bins, uint64_t ns)
{
    uint64_t bin = ns / 10000;
    bins[bin < BINS ? bin : BINS]++;
}

struct traffic *traffic_new(int count, void *protect, void *unprotect)
{
    struct traffic *self = calloc(1, sizeof *self);
    self->calls = calloc(count, sizeof *self->calls);
    self->count = count;
    self->protect = (srtp_function)protect;
    self->unprotect = (srtp_function)unprotect;
    self->poll = epoll_create1(EPOLL_CLOEXEC);
    return self;
}

void traffic_free(struct traffic *self)
{
    close(self->poll);
    free(self->calls);
    free(self);
}

int traffic_set_end(struct traffic *self, int index, int which, int fd, const char *host,
                    int port, void *protect, void *unprotect, int payload_type, uint32_t ssrc)
{
    struct end *end = &self->calls[index].ends[which];
    memset(end, 0, sizeof *end);
    end->fd = fd;
    end->to.sin_family = AF_INET;
    end->to.sin_port = htons(port);
    end->protect = protect;
    end->unprotect = unprotect;
    end->payload_type = payload_type;
    end->ssrc = ssrc;
    end->sequence = ssrc >> 16;
    end->timestamp = ssrc * 2654435761u;
    return inet_pton(AF_INET, host, &end->to.sin_addr) == 1 ? 0 : -1;
}

int traffic_set_state(struct traffic *self, int index, int state)
{
    struct call *call = &self->calls[index];
    int before = __atomic_exchange_n(&call->state, state, __ATOMIC_SEQ_CST);
    for (int which = 0; which < 2; which++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = index * 2 + which};
        if (before == OFF && state != OFF &&
            epoll_ctl(self->poll, EPOLL_CTL_ADD, call->ends[which].fd, &event))
            return -errno;
        if (before != OFF && state == OFF &&
            epoll_ctl(self->poll, EPOLL_CTL_DEL, call->ends[which].fd, &event))
            return -errno;
    }
    return 0;
}

static void send_one(struct traffic *self, int index, int which, int state, uint64_t now)
{
    struct end *end = &self->calls[index].ends[which];
    _Alignas(16) uint8_t packet[HEADER_BYTES + PAYLOAD_BYTES + 32];
    int length = HEADER_BYTES + PAYLOAD_BYTES;
    struct mark mark = {MAGIC, index, ++end->number, which, state == COUNTING, {0}, now};

    packet[0] = 0x80;
    packet[1] = end->payload_type;
    *(uint16_t *)(packet + 2) = htons(end->sequence++);
    *(uint32_t *)(packet + 4) = htonl(end->timestamp);
    *(uint32_t *)(packet + 8) = htonl(end->ssrc);
    end->timestamp += PAYLOAD_BYTES;
    memset(packet + HEADER_BYTES, 0xff, PAYLOAD_BYTES);
    memcpy(packet + HEADER_BYTES, &mark, sizeof mark);
    if (end->protect && self->protect(end->protect, packet, &length)) {
        end->refused++;
        return;
    }
    if (sendto(end->fd, packet, length, MSG_DONTWAIT, (void *)&end->to, sizeof end->to) < 0) {
        end->refused++;
        return;
    }
    end->sent += mark.is_counted;
}

/* The kernel itself may swap packets of a sender that it moves to another core. */
static int is_repeated(struct end *end, uint32_t number)
{
    if (number > end->newest) {
        uint32_t ahead = number - end->newest;
        end->window = ahead < 64 ? end->window << ahead | 1 : 1;
        end->newest = number;
        return 0;
    }
    uint32_t behind = end->newest - number;
    if (behind > 63 || end->window >> behind & 1)
        return 1;
    end->window |= 1ull << behind;
    end->reordered++;
    return 0;
}

static void take(struct traffic *self, int index, int which, uint8_t *packet, int length)
{
    struct end *end = &self->calls[index].ends[which];
    struct mark mark;

    if (length < HEADER_BYTES || packet[0] < 128 || packet[0] > 191)
        return; /* STUN and DTLS */
    if (packet[1] >= 192 && packet[1] <= 223)
        return; /* RTCP */
    if (end->unprotect && self->unprotect(end->unprotect, packet, &length)) {
        end->rejected++;
        return;
    }
    memcpy(&mark, packet + HEADER_BYTES, sizeof mark);
    if (length != HEADER_BYTES + PAYLOAD_BYTES || mark.magic != MAGIC) {
        end->foreign++;
        return;
    }
    if (mark.call != (uint32_t)index || mark.end == which) {
        end->strayed++;
        return;
    }
    end->seen++;
    if (!mark.is_counted)
        return;
    if (is_repeated(end, mark.number)) {
        end->repeated++;
        return;
    }
    end->received++;
    if (self->measures)
        note(self->latency[mark.end], clock_ns(CLOCK_MONOTONIC) - mark.sent_ns);
}

static void drain(struct traffic *self, int index, int which)
{
    _Alignas(16) uint8_t packet[2048];
    int fd = self->calls[index].ends[which].fd;

    for (int i = 0; i < 64; i++) {
        int length = recv(fd, packet, sizeof packet, MSG_DONTWAIT);
        if (length < 0)
            return;
        take(self, index, which, packet, length);
    }
}

void traffic_run(struct traffic *self)
{
    struct epoll_event events[128];
    uint64_t due = clock_ns(CLOCK_MONOTONIC);
    int slot = 0;

    while (!__atomic_load_n(&self->is_stopping, __ATOMIC_SEQ_CST)) {
        uint64_t now = clock_ns(CLOCK_MONOTONIC);
        __atomic_add_fetch(&self->turns, 1, __ATOMIC_SEQ_CST);
        if (now >= due) {
            if (self->measures) {
                uint64_t late = now - due;
                note(self->lateness, late);
                self->slots++;
                self->late_slots += late > SLOTS * SLOT_NS;
                if (late > self->latest_ns)
                    self->latest_ns = late;
            }
            for (int index = slot; index < self->count; index += SLOTS) {
                int state = __atomic_load_n(&self->calls[index].state, __ATOMIC_SEQ_CST);
                if (state != WARMING && state != COUNTING)
                    continue;
                for (int which = 0; which < 2; which++)
                    send_one(self, index, which, state, clock_ns(CLOCK_MONOTONIC));
            }
            slot = (slot + 1) % SLOTS;
            due += SLOT_NS;
            self->thread_cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
        }
        now = clock_ns(CLOCK_MONOTONIC);
        struct timespec rest = {0, now < due ? due - now : 0};
        int ready = epoll_pwait2(self->poll, events, 128, &rest, NULL);
        for (int i = 0; i < ready; i++)
            drain(self, events[i].data.u64 / 2, events[i].data.u64 % 2);
    }
}

void traffic_stop(struct traffic *self)
{
    __atomic_store_n(&self->is_stopping, 1, __ATOMIC_SEQ_CST);
}

/* From here on latency and lateness are kept; 0 stops that. */
void traffic_measure(struct traffic *self, int measures)
{
    self->measures = measures;
}

/* sent, received, seen, reordered, repeated, strayed, foreign, rejected, refused */
void traffic_read_end(struct traffic *self, int index, int which, uint64_t *numbers)
{
    memcpy(numbers, &self->calls[index].ends[which].sent, 9 * sizeof *numbers);
}

/* CPU of the thread, turns of its loop, slots, slots later than a packet's period, and
 * the latest one. A call that was OFF for two turns is not looked at any more. */
void traffic_read_thread(struct traffic *self, uint64_t *numbers)
{
    memcpy(numbers, &self->thread_cpu_ns, 5 * sizeof *numbers);
}

/* 0 and 1: latency of what the browser and the phone sent; 2: lateness of sending. */
void traffic_read_bins(struct traffic *self, int which, uint32_t *bins)
{
    memcpy(bins, which < 2 ? self->latency[which] : self->lateness, sizeof self->lateness);
}
