import { LRUCache } from 'lru-cache'
import { auditEvent } from '../audit/events.js'
import type { Secrets } from '../config/secrets.js'
import type { Client, ClientStore, GrantType, NewClient } from '../oauth/client.js'
import { endAuthorisations } from './authorisation-end.js'
import { change, committed, insert, sql, type Database } from './database.js'
import { modelReader, type Stored } from './model-reader.js'
import type { ClientModel } from './prisma-client/models/Client.js'

const readClient = modelReader<ClientModel>({
  ...{ createdAt: 'date', disabledAt: 'date' },
  ...{ requirePushedForCredential: 'boolean', introspectsAll: 'boolean' },
  ...{ dpopBoundAccessTokens: 'boolean', tlsClientCertificateBoundAccessTokens: 'boolean' },
})

/** Applications whose rows are kept as they were read last. */
const MOST_KNOWN = 1000

export class DatabaseClientStore implements ClientStore {
  readonly #database: Database
  readonly #secrets: Secrets
  readonly #now: () => Date
  /** Known without being registered; nothing changes them. */
  readonly #builtIn: readonly Client[]
  readonly #known = new LRUCache<string, { readonly text: string; readonly client: Client }>({
    max: MOST_KNOWN,
  })

  constructor(
    database: Database,
    secrets: Secrets,
    now: () => Date,
    builtIn: readonly Client[] = [],
  ) {
    this.#builtIn = builtIn
    this.#database = database
    this.#secrets = secrets
    this.#now = now
  }

  async find(id: string): Promise<Client | null> {
    const builtIn = this.#builtIn.find((client) => client.id === id)
    if (builtIn) return builtIn
    const [row] = await this.#database.rows<Stored<ClientModel>>(
      sql`SELECT * FROM "Client" WHERE "id" = ${id}`,
    )
    return row ? this.#read(row) : null
  }

  /** Applications ask often and change seldom: a row that says the same again is not read again. */
  #read(row: Stored<ClientModel>): Client {
    const text = JSON.stringify(row)
    const known = this.#known.get(row.id)
    if (known?.text === text) return known.client
    const client = this.#toClient(readClient(row))
    this.#known.set(row.id, { text, client })
    return client
  }

  async list(): Promise<Client[]> {
    const rows = await this.#database.rows<Stored<ClientModel>>(
      sql`SELECT * FROM "Client" ORDER BY "createdAt"`,
    )
    return rows.map((row) => this.#toClient(readClient(row)))
  }

  add(client: NewClient): Promise<boolean> {
    const { id, name, secret, redirectUris, grantTypes, authMethod } = client
    const { jwks, tlsSubjectDn, requirePushedForCredential, introspectsAll, quirks = [] } = client
    const { responseUriHosts = null } = client
    if (this.#builtIn.some((each) => each.id === id)) return Promise.resolve(false)
    return committed(this.#database, {
      changes: [
        insert('Client', {
          id,
          name,
          secret: secret === null ? null : this.#secrets.seal(secretContext(id), secret),
          redirectUris: JSON.stringify(redirectUris),
          grantTypes: JSON.stringify(grantTypes),
          authMethod,
          jwks: jwks ? JSON.stringify(jwks) : null,
          tlsSubjectDn: tlsSubjectDn ?? null,
          requirePushedForCredential: requirePushedForCredential ?? false,
          introspectsAll: introspectsAll ?? false,
          dpopBoundAccessTokens: client.dpopBoundAccessTokens ?? false,
          tlsClientCertificateBoundAccessTokens:
            client.tlsClientCertificateBoundAccessTokens ?? false,
          quirks: JSON.stringify(quirks),
          responseUriHosts: responseUriHosts && JSON.stringify(responseUriHosts),
          createdAt: this.#now(),
        }),
      ],
      audit: [auditEvent('client.added', { clientId: id, name })],
    })
  }

  setRedirectUris(id: string, uris: readonly string[]): Promise<boolean> {
    const text = JSON.stringify(uris)
    return committed(this.#database, {
      changes: [change(sql`UPDATE "Client" SET "redirectUris" = ${text} WHERE "id" = ${id}`, 1)],
    })
  }

  disable(id: string, at: Date): Promise<boolean> {
    return committed(this.#database, {
      changes: [
        change(
          sql`UPDATE "Client" SET "disabledAt" = ${at} WHERE "id" = ${id} AND "disabledAt" IS NULL`,
          1,
        ),
        endAuthorisations('client', id, at),
      ],
      audit: [auditEvent('client.disabled', { clientId: id })],
    })
  }

  #toClient(row: ClientModel): Client {
    const { id, name, secret, redirectUris, grantTypes, authMethod, disabledAt } = row
    const { jwks, tlsSubjectDn, requirePushedForCredential, introspectsAll } = row
    const { dpopBoundAccessTokens, tlsClientCertificateBoundAccessTokens } = row
    return {
      id,
      name,
      secret: secret === null ? null : this.#secrets.unseal(secretContext(id), secret),
      redirectUris: JSON.parse(redirectUris) as string[],
      grantTypes: JSON.parse(grantTypes) as GrantType[],
      authMethod: authMethod as Client['authMethod'],
      jwks: jwks === null ? null : (JSON.parse(jwks) as Client['jwks']),
      ...{ tlsSubjectDn, requirePushedForCredential, introspectsAll },
      ...{ dpopBoundAccessTokens, tlsClientCertificateBoundAccessTokens },
      quirks: JSON.parse(row.quirks) as Client['quirks'],
      responseUriHosts:
        row.responseUriHosts === null ? null : (JSON.parse(row.responseUriHosts) as string[]),
      disabledAt,
    }
  }
}

function secretContext(clientId: string): string {
  return `client ${clientId} secret`
}
