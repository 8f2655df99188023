/*
 * The floor: the work of bench/rawserver in C, on epoll and nothing else.
 *
 * One thread, nonblocking sockets, edge-triggered events. A short read means that a stream
 * socket is drained, so most requests cost one epoll_wait (shared), one recv and one send.
 * An incomplete request is kept aside per connection; a complete one is answered out of a
 * buffer on the stack. What a server in Go costs more than this is the price of Go, of its
 * library and of its comforts.
 *
 * usage: epoll PORT
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	EVENTS = 256,       /* per epoll_wait */
	ACCEPTS = 16,       /* per event of the listener */
	MAX_REQUEST = 4096, /* as in bench/internal/hello */
	ANSWERS = 16,       /* per send, as there */
	BACKLOG = 4096,
};

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
			     "Content-Length: 13\r\n\r\nHello, World!";
static char answers[ANSWERS * sizeof answer];

/* A connection. pending bytes of an incomplete request are in part, NULL if there are none. */
struct conn {
	int fd;
	int pending;
	char *part;
};

static void die(const char *what)
{
	fprintf(stderr, "epoll: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void drop(struct conn *c)
{
	close(c->fd); /* epoll forgets it */
	free(c->part);
	free(c);
}

/* Sends n answers. A client that does not read them is dropped: this is no server for it. */
static int reply(int fd, int n)
{
	while (n > 0) {
		int some = n < ANSWERS ? n : ANSWERS;
		ssize_t size = some * (ssize_t)(sizeof answer - 1);
		if (send(fd, answers, size, MSG_NOSIGNAL) != size)
			return -1;
		n -= some;
	}
	return 0;
}

/* Takes used bytes, answers what is complete and keeps the rest. */
static int take(struct conn *c, char *data, int used)
{
	int requests = 0, size = 0;
	char *end;
	while ((end = memmem(data + size, used - size, "\r\n\r\n", 4)) != NULL) {
		size = end + 4 - data;
		requests++;
	}
	c->pending = used - size;
	if (c->pending == MAX_REQUEST)
		return -1; /* a request too large */
	if (c->pending > 0) {
		if (c->part == NULL && (c->part = malloc(MAX_REQUEST)) == NULL)
			return -1;
		memmove(c->part, data + size, c->pending);
	} else if (c->part != NULL) {
		free(c->part);
		c->part = NULL;
	}
	return reply(c->fd, requests);
}

/* Reads until the socket is drained. Returns -1 if the connection is over. */
static int serve(struct conn *c, uint32_t events)
{
	char buffer[MAX_REQUEST];
	for (;;) {
		char *data = c->part != NULL ? c->part : buffer;
		int room = MAX_REQUEST - c->pending;
		ssize_t n = recv(c->fd, data + c->pending, room, 0);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -1;
		if (n == 0 || take(c, data, c->pending + n) < 0)
			return -1;
		/* A short read is a drained socket, unless the peer's end may follow. */
		if (n < room && !(events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
			return 0;
	}
}

static void accept_some(int epoll, int listener)
{
	for (int i = 0; i < ACCEPTS; i++) {
		int one = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		struct conn *c = calloc(1, sizeof *c);
		if (c == NULL)
			die("calloc");
		c->fd = fd;
		struct epoll_event e = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET,
					 .data.ptr = c };
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) < 0)
			die("epoll_ctl");
	}
}

static int listen_on(const char *port)
{
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(atoi(port)),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof name;
	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(fd, (struct sockaddr *)&name, size) < 0 || listen(fd, BACKLOG) < 0 ||
	    getsockname(fd, (struct sockaddr *)&name, &size) < 0)
		die("listen");
	fprintf(stderr, "epoll: serving on 127.0.0.1:%d\n", ntohs(name.sin_port));
	return fd;
}

int main(int argc, char **argv)
{
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	for (int i = 0; i < ANSWERS; i++)
		memcpy(answers + i * (sizeof answer - 1), answer, sizeof answer - 1);
	int epoll = epoll_create1(EPOLL_CLOEXEC), listener = listen_on(argc > 1 ? argv[1] : "0");
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = NULL };
	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e) < 0)
		die("epoll");
	for (;;) {
		struct epoll_event events[EVENTS];
		int n = epoll_wait(epoll, events, EVENTS, -1);
		if (n < 0 && errno != EINTR)
			die("epoll_wait");
		for (int i = 0; i < n; i++) {
			struct conn *c = events[i].data.ptr;
			if (c == NULL)
				accept_some(epoll, listener);
			else if (serve(c, events[i].events) < 0)
				drop(c);
		}
	}
}
