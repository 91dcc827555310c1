import type { HashAlgorithm, KeyInfo } from './algorithms.js'
import { fromBase64, toBase64, type Bytes } from './encoding.js'
import type { Http } from './http.js'
import {
  revocationRequest,
  tokenRequest,
  type PendingAuthorization,
  type ServerMetadata,
} from './oauth.js'
import { rectangleOf, type Placement } from './placement.js'
import { language } from './texts.js'

/** A validation report, as far as this page shows it. */
export interface Report {
  readonly indication: Indication | null
  readonly signatures: readonly {
    readonly indication: Indication
    readonly subIndication: string | null
    readonly format: string
    readonly level: string | null
    readonly signer: { readonly subject: string } | null
    readonly claimedSigningTime: string | null
    readonly bestSignatureTime: string | null
    readonly coverage: Coverage | null
    readonly findings: readonly Finding[]
  }[]
  readonly findings: readonly Finding[]
}
/** What a signature in a PDF is over. */
export interface Coverage {
  readonly wholeDocument: boolean
  readonly changes: readonly { readonly kind: string; readonly allowed: boolean }[]
}
type Indication = 'TOTAL-PASSED' | 'INDETERMINATE' | 'TOTAL-FAILED'
interface Finding {
  readonly severity: 'error' | 'warning' | 'information'
  readonly text: string
}

/** CSC API v2, `credentials/list`, as far as this page uses it. */
export interface CredentialInfo {
  readonly credentialID: string
  readonly description?: string
  readonly key: KeyInfo & { readonly status: 'enabled' | 'disabled' }
  readonly cert: {
    readonly status?: string
    readonly certificates?: readonly string[]
    readonly validTo?: string
  }
  readonly SCAL?: '1' | '2'
  readonly multisign: number
}

/** CSC API v2, `info`, as far as this page uses it. */
export interface ServiceInfo {
  readonly name: string
  readonly methods: readonly string[]
  readonly signature_formats?: { readonly formats: readonly string[] }
  readonly conformance_levels?: readonly string[]
}

/** A PDF to sign, and where the signature is seen on it. */
export interface PdfToSign {
  readonly content: Bytes
  readonly level: string
  readonly placement: Placement | null
  /** What is written there. */
  readonly text: string
}

export interface Tokens {
  readonly access_token: string
  readonly refresh_token?: string
}

/** The public API of the service: everything this page can do, anyone else's application can. */
export class Service {
  readonly #http: Http
  constructor(http: Http) {
    this.#http = http
  }

  async info(): Promise<ServiceInfo> {
    return (await this.#http.call({
      title: 'Ask the service what it is',
      path: '/csc/v2/info',
      body: {},
    })) as ServiceInfo
  }

  async metadata(): Promise<ServerMetadata> {
    return (await this.#http.call({
      title: 'Find the authorization server',
      path: '/.well-known/oauth-authorization-server',
    })) as ServerMetadata
  }

  async push(server: ServerMetadata, parameters: URLSearchParams): Promise<string> {
    const { request_uri } = (await this.#http.call({
      title: 'Push the authorization request',
      path: server.pushed_authorization_request_endpoint ?? '/oauth2/pushed_authorize',
      body: parameters,
    })) as { request_uri: string }
    return request_uri
  }

  async redeem(
    server: ServerMetadata,
    code: string,
    pending: PendingAuthorization,
    redirectUri: string,
  ): Promise<Tokens> {
    return (await this.#http.call({
      title:
        pending.scope === 'service'
          ? 'Exchange the code for a service token'
          : 'Exchange the code for a credential token',
      path: server.token_endpoint,
      body: tokenRequest(code, pending, redirectUri),
    })) as Tokens
  }

  async credentials(token: string): Promise<readonly CredentialInfo[]> {
    const { credentialInfos } = (await this.#http.call({
      title: 'List the credentials',
      path: '/csc/v2/credentials/list',
      token,
      body: {
        credentialInfo: true,
        certificates: 'chain',
        certInfo: true,
        authInfo: true,
        onlyValid: true,
      },
    })) as { credentialInfos?: readonly CredentialInfo[] }
    return credentialInfos ?? []
  }

  async signHash(
    token: string,
    credentialID: string,
    hashes: readonly string[],
    { hash, signAlgo }: { hash: HashAlgorithm; signAlgo: string },
  ): Promise<readonly string[]> {
    const { signatures } = (await this.#http.call({
      title: 'Sign the approved hashes',
      path: '/csc/v2/signatures/signHash',
      token,
      body: { credentialID, hashes, hashAlgorithmOID: hash.oid, signAlgo },
    })) as { signatures: readonly string[] }
    return signatures
  }

  /** So that the signer sees the document before agreeing; without it, only its fingerprint. */
  async deposit(token: string, label: string, content: Bytes): Promise<void> {
    await this.#http.call({
      title: 'Leave the document for the approval page',
      path: '/csc/v2/documents/deposit',
      token,
      body: { document: toBase64(content), label },
    })
  }

  async signPdfs(
    token: string,
    credentialID: string,
    documents: readonly PdfToSign[],
    { signAlgo, hash }: { hash: HashAlgorithm; signAlgo: string },
  ): Promise<readonly Bytes[]> {
    const { DocumentWithSignature = [] } = (await this.#http.call({
      title: 'Sign the approved PDF',
      path: '/csc/v2/signatures/signDoc',
      token,
      body: {
        credentialID,
        documents: documents.map(({ content, level, placement, text }) => ({
          document: toBase64(content),
          signature_format: 'P',
          conformance_level: level,
          // Whatever was signed before stays as it is.
          signed_envelope_property: 'Revision',
          signAlgo,
          hashAlgorithmOID: hash.oid,
          ...(placement
            ? { appearance: { page: placement.page, rect: rectangleOf(placement), text } }
            : {}),
        })),
      },
    })) as { DocumentWithSignature?: readonly string[] }
    return DocumentWithSignature.map(fromBase64)
  }

  async validate(name: string, document: Bytes): Promise<Report> {
    return (await this.#http.call({
      title: 'Have the signed PDF checked',
      path: '/verification',
      body: { document: toBase64(document), name, lang: language() },
    })) as Report
  }

  /** Ends what the tokens allow. A token that is dead already is what we want. */
  async revoke(server: ServerMetadata, tokens: Tokens): Promise<void> {
    const revoke = (token: string, hint: 'access_token' | 'refresh_token') =>
      this.#http
        .call({
          title: hint === 'access_token' ? 'Revoke the access token' : 'Revoke the refresh token',
          path: server.revocation_endpoint,
          body: revocationRequest(token, hint),
        })
        .catch(() => null)
    await revoke(tokens.access_token, 'access_token')
    if (tokens.refresh_token) await revoke(tokens.refresh_token, 'refresh_token')
  }
}
