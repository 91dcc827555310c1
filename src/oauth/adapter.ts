import { errors, Provider, type Adapter, type AdapterPayload } from 'oidc-provider'
import type { Secrets } from '../config/secrets.js'
import type { Client, ClientStore } from './client.js'
import {
  hashIdentifier,
  type OAuthRecord,
  type OAuthRecordStore,
  type RecordChange,
} from './oauth-record.js'
import { gatheredWrites, RecordWrites } from './record-writes.js'
import { areOfNativeApp } from './redirect-uris.js'

/** Models whose identifier says that something happened: writing one twice is a replay. */
const WRITTEN_ONCE = new Set(['ReplayDetection'])

/**
 * The memory of oidc-provider. The library reads, decides and writes; what may happen only once is
 * therefore decided here, by one conditional write, whatever the library has read before. All else that
 * one of its requests writes is gathered (record-writes.ts).
 */
export class RecordAdapter implements Adapter {
  readonly #model: string
  readonly #records: OAuthRecordStore
  readonly #secrets: Secrets
  readonly #now: () => Date

  constructor(model: string, records: OAuthRecordStore, secrets: Secrets, now: () => Date) {
    this.#model = model
    this.#records = records
    this.#secrets = secrets
    this.#now = now
  }

  async upsert(id: string, payload: AdapterPayload, expiresIn?: number): Promise<void> {
    const idHash = hashIdentifier(id)
    const record = {
      model: this.#model,
      idHash,
      grantId: this.#model === 'Grant' ? id : (payload.grantId ?? null),
      uidHash: payload.uid === undefined ? null : hashIdentifier(payload.uid),
      accountId: payload.accountId ?? null,
      clientId: payload.clientId ?? null,
      payload: this.#secrets.seal(
        context(this.#model, idHash),
        JSON.stringify({ ...payload, jti: undefined }),
      ),
      expiresAt:
        expiresIn === undefined ? null : new Date(this.#now().getTime() + expiresIn * 1000),
    }
    if (!WRITTEN_ONCE.has(this.#model)) return this.#write({ put: record })
    await gatheredWrites()?.flush()
    if (!(await this.#records.putOnce(record))) {
      throw new errors.InvalidRequest('this value was used before')
    }
  }

  async #write(change: RecordChange): Promise<void> {
    const gathered = gatheredWrites()
    const writes = gathered ?? new RecordWrites({ records: this.#records, now: this.#now })
    writes.add(change)
    if (!gathered) await writes.flush()
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    const idHash = hashIdentifier(id)
    const gathered = gatheredWrites()
    if (gathered?.has(this.#model, idHash)) await gathered.flush()
    const record = await this.#records.find(this.#model, idHash)
    return record ? this.#payload(record, id, idHash) : undefined
  }

  async findByUid(uid: string): Promise<AdapterPayload | undefined> {
    await gatheredWrites()?.flush()
    const record = await this.#records.findByUid(this.#model, hashIdentifier(uid))
    return record ? this.#payload(record, undefined, record.idHash) : undefined
  }

  findByUserCode(): Promise<undefined> {
    return Promise.resolve(undefined)
  }

  /** The loser of a race is refused, and what the winner was given of a grant is taken back. */
  async consume(id: string): Promise<void> {
    await gatheredWrites()?.flush()
    const idHash = hashIdentifier(id)
    if (await this.#records.consume(this.#model, idHash, this.#now())) return
    const record = await this.#records.find(this.#model, idHash)
    if (record?.grantId) await this.#records.revokeGrant(record.grantId, this.#now())
    if (this.#model === 'PushedAuthorizationRequest') {
      throw new errors.InvalidRequestUri('request_uri was already used')
    }
    throw new errors.InvalidGrant(`${this.#model} already consumed`)
  }

  async destroy(id: string): Promise<void> {
    if (this.#model === 'Grant') return this.#revokeGrant(id)
    const revoke = { model: this.#model, idHash: hashIdentifier(id) }
    return this.#write({ revoke, at: this.#now() })
  }

  /** Revoking one access token leaves its siblings alone (CSC API, oauth2/revoke); all else takes the grant. */
  async revokeByGrantId(grantId: string): Promise<void> {
    const oidc = Provider.ctx?.oidc
    if (oidc?.route === 'revocation' && oidc.entities.AccessToken) return
    await this.#revokeGrant(grantId)
  }

  async #revokeGrant(grantId: string): Promise<void> {
    await gatheredWrites()?.flush()
    await this.#records.revokeGrant(grantId, this.#now())
  }

  #payload(
    record: OAuthRecord,
    id: string | undefined,
    idHash: string,
  ): AdapterPayload | undefined {
    if (record.revokedAt) return undefined
    const payload = unsealPayload(this.#secrets, this.#model, idHash, record)
    return {
      ...payload,
      ...(record.expiresAt ? { exp: this.#onTheirClock(record.expiresAt) } : {}),
      ...(id === undefined ? {} : { jti: id }),
      ...(record.consumedAt ? { consumed: Math.floor(record.consumedAt.getTime() / 1000) } : {}),
    }
  }

  /** The library knows the system's clock alone; when something expires is decided by ours. */
  #onTheirClock(time: Date): number {
    return Math.floor((Date.now() + time.getTime() - this.#now().getTime()) / 1000)
  }
}

/** The payload of a stored record; one that was moved or changed does not open. */
export function unsealPayload(
  secrets: Secrets,
  model: string,
  idHash: string,
  record: OAuthRecord,
): AdapterPayload {
  return JSON.parse(secrets.unseal(context(model, idHash), record.payload)) as AdapterPayload
}

function context(model: string, idHash: string): string {
  return `oauth ${model} ${idHash}`
}

/** Clients live in their own table; oidc-provider only ever reads them. */
export class ClientAdapter implements Adapter {
  readonly #clients: ClientStore
  readonly #takesCertificates: boolean

  constructor(clients: ClientStore, takesCertificates: boolean) {
    this.#clients = clients
    this.#takesCertificates = takesCertificates
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    const client = await this.#clients.find(id)
    if (!client || client.disabledAt) return undefined
    if (isBoundToCertificate(client) && !this.#takesCertificates) return undefined
    return clientMetadata(client)
  }

  upsert(): Promise<void> {
    throw new Error('Clients are not registered through oidc-provider')
  }

  findByUid(): Promise<undefined> {
    return Promise.resolve(undefined)
  }

  findByUserCode(): Promise<undefined> {
    return Promise.resolve(undefined)
  }

  consume(): Promise<undefined> {
    return Promise.resolve(undefined)
  }

  destroy(): Promise<undefined> {
    return Promise.resolve(undefined)
  }

  revokeByGrantId(): Promise<undefined> {
    return Promise.resolve(undefined)
  }
}

/** One that shows its certificate to authenticate has it at hand for every request. */
function isBoundToCertificate(client: Client): boolean {
  return client.tlsClientCertificateBoundAccessTokens || client.authMethod === 'tls_client_auth'
}

function clientMetadata(client: Client): AdapterPayload {
  return {
    client_id: client.id,
    client_name: client.name,
    ...(client.secret === null ? {} : { client_secret: client.secret }),
    redirect_uris: [...client.redirectUris],
    application_type:
      client.authMethod === 'none' && areOfNativeApp(client.redirectUris) ? 'native' : 'web',
    grant_types: [...client.grantTypes],
    response_types: client.grantTypes.includes('authorization_code') ? ['code'] : [],
    ...(client.jwks === null ? {} : { jwks: { keys: [...client.jwks.keys] } }),
    ...(client.tlsSubjectDn === null ? {} : { tls_client_auth_subject_dn: client.tlsSubjectDn }),
    quirks: [...client.quirks],
    dpop_bound_access_tokens: client.dpopBoundAccessTokens,
    ...(isBoundToCertificate(client) ? { tls_client_certificate_bound_access_tokens: true } : {}),
    token_endpoint_auth_method:
      // The library takes basic and post for either of the two.
      client.authMethod === 'client_secret' ? 'client_secret_basic' : client.authMethod,
  }
}
