const LOOPBACK = /^(?:localhost|\[?::1\]?|127(?:\.\d{1,3}){3})$/

/** Whether a host, as in settings and URLs, is this machine. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host)
}
