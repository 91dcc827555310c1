import { createPublicKey, generateKeyPairSync, randomUUID, type KeyObject } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CompactEncrypt, exportJWK, SignJWT, type JWK } from 'jose'

export type Claims = Record<string, unknown>

export interface Reply {
  readonly status?: number
  readonly type?: string
  readonly body: string
}

const KID = 'k-1'

/** A provider that is honest until told how to lie. */
export class FaultyProvider {
  readonly issuer: string
  readonly key = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  readonly foreignKey = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  readonly rsaKey = generateKeyPairSync('rsa', { modulusLength: 2048 })
  readonly clientSecret = 'a-client-secret-of-some-length-0123456789'
  /** Requests of our own server to its endpoints. */
  readonly calls: string[] = []
  readonly #server: Server
  readonly #nonces = new Map<string, { nonce: string; claims: Claims }>()

  // Lies; `honest` takes them back.
  metadata: (honest: Claims) => Claims = (honest) => honest
  authorize: (query: URLSearchParams) => URL | null = () => null
  answer: (honest: URLSearchParams) => void = () => undefined
  claims: (honest: Claims) => Claims = (honest) => honest
  idToken: (claims: Claims) => Promise<string | undefined> = (claims) => this.sign(claims)
  tokens: (honest: Claims) => Reply = (honest) => ({ body: JSON.stringify(honest) })
  userinfo: (claims: Claims) => Promise<Reply> = (claims) =>
    Promise.resolve({ body: JSON.stringify(claims) })
  sub = 's-1'

  private constructor(server: Server) {
    this.#server = server
    this.issuer = `http://localhost:${(server.address() as AddressInfo).port}`
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      void this.#respond(request, response)
    })
  }

  static async listen(): Promise<FaultyProvider> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve))
    return new FaultyProvider(server)
  }

  honest(): void {
    this.authorize = () => null
    this.answer = () => undefined
    this.claims = (honest) => honest
    this.idToken = (claims) => this.sign(claims)
    this.tokens = (honest) => ({ body: JSON.stringify(honest) })
    this.sub = 's-1'
    this.calls.length = 0
  }

  settings(id: string, secretFile: string, changes: Claims = {}) {
    return {
      id,
      label: 'Test ID',
      issuer: this.issuer,
      clientId: 'openrssp',
      authentication: { method: 'client_secret_basic', secretFile },
      requiredAcr: ['high'],
      allowedSigningAlgorithms: ['ES256'],
      maxAuthAgeSeconds: 300,
      firstLogin: 'enrol',
      ...changes,
    }
  }

  sign(claims: Claims, key: KeyObject = this.key.privateKey, header: Claims = {}): Promise<string> {
    const alg = key.asymmetricKeyType === 'rsa' ? 'RS256' : 'ES256'
    return new SignJWT(claims).setProtectedHeader({ alg, kid: KID, ...header }).sign(key)
  }

  /** The claims signed with a shared secret, as if the public key were one. */
  signHmac(claims: Claims, secret: Uint8Array | string): Promise<string> {
    const bytes = typeof secret === 'string' ? Buffer.from(secret) : secret
    return new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: KID }).sign(bytes)
  }

  /** A token with this header and without a signature. */
  unsigned(claims: Claims, header: Claims = { alg: 'none' }): string {
    const part = (value: Claims) => Buffer.from(JSON.stringify(value)).toString('base64url')
    return `${part(header)}.${part(claims)}.`
  }

  encrypt(text: string, key: KeyObject, header: Claims = {}): Promise<string> {
    return new CompactEncrypt(Buffer.from(text))
      .setProtectedHeader({ alg: 'RSA-OAEP-256', enc: 'A256GCM', ...header })
      .encrypt(key)
  }

  async publicJwk(key: KeyObject = this.key.publicKey, kid = KID): Promise<JWK> {
    return { ...(await exportJWK(key)), kid, use: 'sig' }
  }

  publicPem(): string {
    return createPublicKey(this.key.privateKey).export({ type: 'spki', format: 'pem' }).toString()
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.issuer)
    if (url.pathname !== '/authorize') this.calls.push(url.pathname)
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const form = new URLSearchParams(Buffer.concat(chunks).toString())
    const reply = (body: Reply) => {
      const type = body.type ?? 'application/json'
      response.writeHead(body.status ?? 200, { 'Content-Type': type }).end(body.body)
    }
    const json = (value: unknown) => {
      reply({ body: JSON.stringify(value) })
    }
    switch (url.pathname) {
      case '/.well-known/openid-configuration':
        json(this.metadata(this.#metadata()))
        return
      case '/jwks':
        json({
          keys: [await this.publicJwk(), await this.publicJwk(this.rsaKey.publicKey, 'rsa')],
        })
        return
      case '/authorize':
        response.writeHead(303, { Location: this.#authorized(url.searchParams).href }).end()
        return
      case '/token':
        reply(await this.#tokens(form))
        return
      case '/userinfo': {
        const { sub, iss, aud } = this.#base()
        reply(
          await this.userinfo({ sub, iss, aud, given_name: 'Jonas', family_name: 'Kazlauskas' }),
        )
        return
      }
      default:
        reply({ status: 404, body: '{}' })
    }
  }

  #metadata(): Claims {
    return {
      issuer: this.issuer,
      authorization_endpoint: `${this.issuer}/authorize`,
      token_endpoint: `${this.issuer}/token`,
      userinfo_endpoint: `${this.issuer}/userinfo`,
      jwks_uri: `${this.issuer}/jwks`,
      authorization_response_iss_parameter_supported: true,
      // It would take anything; what we take is ours to say.
      id_token_signing_alg_values_supported: ['none', 'HS256', 'RS256', 'ES256'],
    }
  }

  #authorized(query: URLSearchParams): URL {
    const elsewhere = this.authorize(query)
    if (elsewhere) return elsewhere
    const code = randomUUID()
    this.#nonces.set(code, { nonce: query.get('nonce') ?? '', claims: {} })
    const back = new URL(query.get('redirect_uri') ?? '')
    back.search = new URLSearchParams({
      code,
      state: query.get('state') ?? '',
      iss: this.issuer,
    }).toString()
    this.answer(back.searchParams)
    return back
  }

  #base(): Claims {
    return { iss: this.issuer, aud: 'openrssp', sub: this.sub }
  }

  async #tokens(form: URLSearchParams): Promise<Reply> {
    const known = this.#nonces.get(form.get('code') ?? '')
    const now = Math.floor(Date.now() / 1000)
    const claims = this.claims({
      ...this.#base(),
      nonce: known?.nonce,
      iat: now,
      exp: now + 300,
      auth_time: now,
      acr: 'high',
      amr: ['pin'],
      given_name: 'Jonas',
      family_name: 'Kazlauskas',
    })
    const id_token = await this.idToken(claims)
    return this.tokens({
      access_token: 'a-token',
      token_type: 'Bearer',
      ...(id_token === undefined ? {} : { id_token }),
    })
  }
}
