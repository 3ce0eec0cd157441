/*
 * Plays N browsers and N phones against a media engine and times every packet.
 *
 * Sockets are opened and connected by the caller, who also gives libsrtp contexts and
 * the four libsrtp functions, so that generator and handshake share one library. The
 * loop spins: it must never be what is waited for. Each call sends a packet every so
 * many slots each way, calls are spread over them, and both sides send an RTCP report
 * every 250 packets. Payloads begin with a magic word and the sending time; the word
 * begins like a VP8 keyframe (RFC 7741), for those who look.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAGIC 0x474e0010u
#define PAYLOAD_MAX 1400
#define SLOT_NS 1000000ull
#define BIN_NS 10000ull
#define BINS 20001
#define REPORT_EVERY 250
#define GRACE_NS 300000000ull

typedef int (*srtp_function)(void *context, void *packet, int *length);

struct side {
    int media, control; /* control -1: multiplexed */
    struct sockaddr_in to, to_control;
    void *send, *receive; /* libsrtp contexts, NULL for plain RTP */
    uint32_t ssrc, timestamp;
    uint16_t sequence, last;
    uint8_t payload_type, has_last;
};

struct call {
    struct side browser, phone;
    uint32_t packets;
};

struct result {
    uint64_t sent[2], received[2], gaps[2], strange, rejected, reports[2], late_slots;
    double p50[2], p99[2], maximum[2];
};

static struct call *calls;
static int count, payload, slots;
static uint32_t ticks;
static srtp_function protect, unprotect, protect_rtcp, unprotect_rtcp;
static uint32_t bins[2][BINS];
static uint64_t worst[2];

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

void generator_open(int n, void *functions[4], int bytes, int period, int clock_ticks) {
    calls = calloc((size_t)n, sizeof *calls);
    count = n;
    payload = bytes < PAYLOAD_MAX ? bytes : PAYLOAD_MAX;
    slots = period;
    ticks = (uint32_t)clock_ticks;
    protect = (srtp_function)functions[0];
    unprotect = (srtp_function)functions[1];
    protect_rtcp = (srtp_function)functions[2];
    unprotect_rtcp = (srtp_function)functions[3];
}

void generator_close(void) {
    free(calls);
    calls = NULL;
    count = 0;
}

void generator_side(int index, int is_phone, int media, int control, const char *host,
                    int port, void *send, void *receive, int payload_type,
                    uint32_t ssrc) {
    struct side *s = is_phone ? &calls[index].phone : &calls[index].browser;
    memset(s, 0, sizeof *s);
    s->media = media;
    s->control = control;
    s->to.sin_family = s->to_control.sin_family = AF_INET;
    inet_pton(AF_INET, host, &s->to.sin_addr);
    s->to_control.sin_addr = s->to.sin_addr;
    s->to.sin_port = htons((uint16_t)port);
    s->to_control.sin_port = htons((uint16_t)(port + (control >= 0)));
    s->send = send;
    s->receive = receive;
    s->payload_type = (uint8_t)payload_type;
    s->ssrc = ssrc;
    s->sequence = (uint16_t)(1000 + index);
    s->timestamp = ssrc / 3;
}

static void put32(uint8_t *at, uint32_t value) {
    value = htonl(value);
    memcpy(at, &value, 4);
}

static int send_packet(struct side *s) {
    uint8_t p[PAYLOAD_MAX + 256];
    uint32_t magic = MAGIC;
    uint64_t t;
    int length = 12 + payload;
    p[0] = 0x80;
    p[1] = s->payload_type;
    s->sequence++;
    p[2] = (uint8_t)(s->sequence >> 8);
    p[3] = (uint8_t)s->sequence;
    s->timestamp += ticks;
    put32(p + 4, s->timestamp);
    put32(p + 8, s->ssrc);
    memset(p + 12, 0xd5, (size_t)payload);
    memcpy(p + 12, &magic, 4);
    t = now_ns();
    memcpy(p + 16, &t, 8);
    if (s->send && protect(s->send, p, &length)) return 0;
    return sendto(s->media, p, (size_t)length, MSG_DONTWAIT, (struct sockaddr *)&s->to,
                  sizeof s->to) > 0;
}

static void send_report(struct side *s, uint32_t packets) {
    uint8_t p[256];
    int length = 28 + 12;
    int fd = s->control >= 0 ? s->control : s->media;
    memset(p, 0, sizeof p);
    p[0] = 0x80;
    p[1] = 200;
    p[3] = 6;
    put32(p + 4, s->ssrc);
    put32(p + 8, (uint32_t)time(NULL) + 2208988800u);
    put32(p + 16, s->timestamp);
    put32(p + 20, packets);
    put32(p + 24, packets * (uint32_t)payload);
    p[28] = 0x81;
    p[29] = 202;
    p[31] = 2;
    put32(p + 32, s->ssrc);
    p[36] = 1;
    p[37] = 1;
    p[38] = 'x';
    if (s->send && protect_rtcp(s->send, p, &length)) return;
    (void)!sendto(fd, p, (size_t)length, MSG_DONTWAIT, (struct sockaddr *)&s->to_control,
                  sizeof s->to_control);
}

/* direction 0: browser to phone, received by the phone; 1: the other way */
static void drain(struct side *s, int fd, int direction, struct result *r) {
    uint8_t p[2048];
    for (;;) {
        ssize_t n = recv(fd, p, sizeof p, MSG_DONTWAIT);
        int length = (int)n, header = 12;
        uint32_t magic;
        uint64_t t, age;
        uint16_t sequence;
        if (n <= 0) return;
        if (n < 12 || p[0] < 128 || p[0] > 191) continue;
        if (p[1] >= 192 && p[1] <= 223) {
            if (s->receive && unprotect_rtcp(s->receive, p, &length)) r->rejected++;
            else r->reports[direction]++;
            continue;
        }
        if (s->receive && unprotect(s->receive, p, &length)) {
            r->rejected++;
            continue;
        }
        if (p[0] & 0x10) header += 4 + 4 * ((p[14] << 8) | p[15]);
        if (length < header + 12) {
            r->strange++;
            continue;
        }
        memcpy(&magic, p + header, 4);
        if (magic != MAGIC) {
            r->strange++;
            continue;
        }
        sequence = (uint16_t)((p[2] << 8) | p[3]);
        if (s->has_last && (uint16_t)(s->last + 1) != sequence) r->gaps[direction]++;
        s->last = sequence;
        s->has_last = 1;
        r->received[direction]++;
        memcpy(&t, p + header + 4, 8);
        age = now_ns() - t;
        if (age > worst[direction]) worst[direction] = age;
        bins[direction][age / BIN_NS < BINS - 1 ? age / BIN_NS : BINS - 1]++;
    }
}

static double quantile(int direction, double q) {
    uint64_t total = 0, seen = 0;
    for (int i = 0; i < BINS; i++) total += bins[direction][i];
    for (int i = 0; i < BINS; i++) {
        seen += bins[direction][i];
        if (total && seen >= q * total) return i * (double)BIN_NS / 1e6;
    }
    return -1;
}

void generator_run(double seconds, struct result *r) {
    struct epoll_event events[64];
    int epoll = epoll_create1(0), slot = 0;
    uint64_t start, end, next;
    memset(r, 0, sizeof *r);
    memset(bins, 0, sizeof bins);
    memset(worst, 0, sizeof worst);
    for (int i = 0; i < count; i++) {
        int fds[3] = {calls[i].browser.media, calls[i].phone.media,
                      calls[i].phone.control};
        calls[i].browser.has_last = calls[i].phone.has_last = 0;
        for (int k = 0; k < 3; k++) {
            struct epoll_event e = {.events = EPOLLIN};
            e.data.u64 = (uint64_t)i * 3 + (uint64_t)k;
            if (fds[k] >= 0) epoll_ctl(epoll, EPOLL_CTL_ADD, fds[k], &e);
        }
    }
    start = next = now_ns();
    end = start + (uint64_t)(seconds * 1e9);
    for (;;) {
        uint64_t t = now_ns();
        int ready;
        if (t >= end + GRACE_NS) break;
        if (t >= next && t < end) {
            if (t > next + 5 * SLOT_NS) r->late_slots++;
            for (int i = slot; i < count; i += slots) {
                struct call *c = &calls[i];
                r->sent[0] += (uint64_t)send_packet(&c->browser);
                r->sent[1] += (uint64_t)send_packet(&c->phone);
                if (++c->packets % REPORT_EVERY == (uint32_t)i % REPORT_EVERY) {
                    send_report(&c->browser, c->packets);
                    send_report(&c->phone, c->packets);
                }
            }
            slot = (slot + 1) % slots;
            next += SLOT_NS;
            continue;
        }
        ready = epoll_wait(epoll, events, 64, 0);
        for (int k = 0; k < ready; k++) {
            struct call *c = &calls[events[k].data.u64 / 3];
            switch (events[k].data.u64 % 3) {
            case 0: drain(&c->browser, c->browser.media, 1, r); break;
            case 1: drain(&c->phone, c->phone.media, 0, r); break;
            default: drain(&c->phone, c->phone.control, 0, r);
            }
        }
    }
    for (int d = 0; d < 2; d++) {
        r->p50[d] = quantile(d, 0.5);
        r->p99[d] = quantile(d, 0.99);
        r->maximum[d] = worst[d] / 1e6;
    }
    close(epoll);
}
