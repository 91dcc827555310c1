import { generateKeyPairSync, randomUUID, type KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK } from 'jose'
import Provider, { type Configuration } from 'oidc-provider'

export interface TestPerson {
  readonly sub: string
  readonly given_name?: string
  readonly family_name?: string
  readonly email?: string
  readonly email_verified?: boolean
}

/** Our own keys, in files for the configuration. */
export class OwnKeys {
  readonly folder = mkdtempSync(join(tmpdir(), 'openrssp-idp-'))
  /** The public half, for whoever encrypts to us. */
  readonly encryption: KeyObject
  readonly signingFile = join(this.folder, 'signing.pem')
  readonly decryptionFile = join(this.folder, 'decryption.pem')

  constructor() {
    const signing = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const decryption = generateKeyPairSync('rsa', { modulusLength: 2048 })
    this.encryption = decryption.publicKey
    const pem = { type: 'pkcs8', format: 'pem' } as const
    writeFileSync(this.signingFile, signing.privateKey.export(pem), { mode: 0o600 })
    writeFileSync(this.decryptionFile, decryption.privateKey.export(pem), { mode: 0o600 })
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

const NEW_PERSON = { given_name: 'Ona', family_name: 'Petrauskienė' }
const CLIENT_ID = 'openrssp'
const ACR = 'idbb:acr:generated-code'

/**
 * A real provider as ID BB is described: private_key_jwt, pushed requests, userinfo signed and then
 * encrypted. Whoever comes is signed in as `person`, without a page.
 */
export class TestIdentityProvider {
  readonly issuer: string
  readonly keys = new OwnKeys()
  person: TestPerson = { ...NEW_PERSON, sub: 'p-1' }
  /** Whether it answers nothing but that it is unavailable. */
  outOfOrder = false
  /** What happens instead of signing in. */
  refusal: { error: string; error_description?: string } | null = null
  acr = ACR
  /** Parameters of the newest authorization request. */
  asked: Record<string, unknown> = {}
  /** How often the person really authenticated. */
  authentications = 0
  readonly #server: Server
  #handle: (request: IncomingMessage, response: ServerResponse) => void = (_, response) => {
    response.writeHead(503).end()
  }

  private constructor(server: Server) {
    this.#server = server
    this.issuer = `http://localhost:${(server.address() as AddressInfo).port}`
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      if (this.outOfOrder) response.writeHead(503).end()
      else this.#handle(request, response)
    })
  }

  static async listen(): Promise<TestIdentityProvider> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve))
    return new TestIdentityProvider(server)
  }

  settings(changes: Record<string, unknown> = {}) {
    return {
      id: 'national',
      label: 'National ID',
      issuer: this.issuer,
      clientId: CLIENT_ID,
      authentication: { method: 'private_key_jwt', keyFile: this.keys.signingFile },
      acrValues: [ACR],
      requiredAcr: [ACR],
      allowedSigningAlgorithms: ['ES256'],
      userinfo: { form: 'encrypted', keyFile: this.keys.decryptionFile },
      ...changes,
    }
  }

  /** Answers from now on; before, it is out of order. */
  async serve(rssp: { readonly baseUrl: string }): Promise<void> {
    const provider = new Provider(this.issuer, await this.#configuration(rssp.baseUrl))
    const respond = provider.callback()
    this.#handle = (request, response) => {
      if (request.url?.startsWith('/login/')) void this.#login(provider, request, response)
      else void respond(request, response)
    }
  }

  /** Signs in whoever comes as someone new, and tells the truth. */
  reset(): void {
    this.person = { ...NEW_PERSON, sub: `p-${randomUUID()}` }
    this.refusal = null
    this.acr = ACR
    this.outOfOrder = false
  }

  async close(): Promise<void> {
    this.keys.remove()
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #configuration(baseUrl: string): Promise<Configuration> {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const callback = new URL(`${baseUrl}/oauth2/identity/national/callback`)
    return {
      clients: [
        {
          client_id: CLIENT_ID,
          redirect_uris: [callback.href],
          // Our keys come from where we publish them.
          jwks_uri: `${baseUrl}/oauth2/identity/national/jwks`,
          token_endpoint_auth_method: 'private_key_jwt',
          token_endpoint_auth_signing_alg: 'ES256',
          require_pushed_authorization_requests: true,
          id_token_signed_response_alg: 'ES256',
          userinfo_signed_response_alg: 'ES256',
          userinfo_encrypted_response_alg: 'RSA-OAEP-256',
          userinfo_encrypted_response_enc: 'A256GCM',
        },
      ],
      jwks: { keys: [{ ...(await exportJWK(privateKey)), use: 'sig', alg: 'ES256', kid: 'k-1' }] },
      cookies: { keys: ['test'] },
      claims: {
        openid: ['sub', 'acr', 'amr', 'auth_time'],
        profile: ['given_name', 'family_name'],
      },
      acrValues: [ACR, 'idbb:acr:static-code'],
      conformIdTokenClaims: true,
      interactions: { url: (_ctx, { uid }) => `/login/${uid}` },
      features: {
        devInteractions: { enabled: false },
        pushedAuthorizationRequests: { enabled: true },
        jwtUserinfo: { enabled: true },
        encryption: { enabled: true },
      },
      enabledJWA: {
        userinfoEncryptionAlgValues: ['RSA-OAEP-256'],
        userinfoEncryptionEncValues: ['A256GCM'],
      },
      // The library keeps from addresses of this machine; our keys are published on one.
      fetch: (url, options) => fetch(url, { ...options, dispatcher: undefined } as RequestInit),
      findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ ...this.person }) }),
      ttl: { Interaction: 600, Session: 3600, Grant: 3600, AccessToken: 300, IdToken: 300 },
    }
  }

  async #login(provider: Provider, request: IncomingMessage, response: ServerResponse) {
    const { params, prompt, session } = await provider.interactionDetails(request, response)
    this.asked = params
    if (this.refusal) {
      await provider.interactionFinished(request, response, this.refusal)
      return
    }
    if (prompt.name === 'login') {
      this.authentications += 1
      const login = { accountId: this.person.sub, acr: this.acr, amr: ['otp', 'bio'] }
      await provider.interactionFinished(request, response, { login })
      return
    }
    const grant = new provider.Grant({ accountId: session?.accountId ?? '', clientId: CLIENT_ID })
    grant.addOIDCScope('openid profile')
    const consent = { grantId: await grant.save() }
    await provider.interactionFinished(request, response, { consent })
  }
}
