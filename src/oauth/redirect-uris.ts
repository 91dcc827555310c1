const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost'])

/** `com.example.app:/callback`: a scheme that an app owns by its reversed domain name (RFC 8252, 7.1). */
export function isPrivateUse(uri: string): boolean {
  return URL.canParse(uri) && /^[a-z][a-z0-9-]*(\.[a-z0-9-]+)+:$/.test(new URL(uri).protocol)
}

/** An address of the signer's own machine, where an app listens at a port of the moment (RFC 8252, 7.3). */
function isLoopback(uri: string): boolean {
  return new URL(uri).protocol === 'http:' && LOOPBACK.has(new URL(uri).hostname)
}

/**
 * Whether these are the addresses of an app on the signer's device. Of its loopback addresses the port
 * does not count; all else is compared as it is (S33).
 */
export function areOfNativeApp(uris: readonly string[]): boolean {
  const isOwn = (uri: string) => isPrivateUse(uri) || isLoopback(uri)
  return uris.some(isOwn) && uris.every((uri) => isOwn(uri) || uri.startsWith('https://'))
}

/** As a source of a content security policy: where a posted form may lead. */
export function originOf(redirectUri: string): string {
  const { origin, protocol } = new URL(redirectUri)
  return origin === 'null' ? protocol : origin
}
