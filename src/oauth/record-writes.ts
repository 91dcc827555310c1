import type { Middleware } from 'koa'
import { Provider, type KoaContextWithOIDC } from 'oidc-provider'
import {
  ENDED_SESSION,
  hashIdentifier,
  type OAuthRecordStore,
  type RecordChange,
} from './oauth-record.js'
import { isForApplications } from './page-renderer.js'

interface Parts {
  readonly records: OAuthRecordStore
  readonly now: () => Date
}

/** What is written of the authorization server's records, and what follows from what happened meanwhile. */
export class RecordWrites {
  readonly #records: OAuthRecordStore
  readonly #now: () => Date
  #changes: RecordChange[] = []

  constructor({ records, now }: Parts) {
    this.#records = records
    this.#now = now
  }

  add(change: RecordChange): void {
    this.#changes.push(change)
  }

  /** Whether a record is among what waits to be written. */
  has(model: string, idHash: string): boolean {
    return this.#changes.some((change) => {
      const of = 'put' in change ? change.put : change.revoke
      return of.idHash === idHash && of.model === model
    })
  }

  async flush(): Promise<void> {
    if (this.#changes.length === 0) return
    const changes = this.#changes
    this.#changes = []
    await this.#records.write(changes)
    const written = changes.flatMap((change) => ('put' in change ? change.put : []))
    for (const { model, idHash, uidHash } of written) {
      if (model === 'Session' && uidHash !== null) await this.#followSession(idHash, uidHash)
    }
    const ofGrants = written.filter(({ model }) => model !== 'Grant')
    for (const grantId of new Set(ofGrants.map((each) => each.grantId))) {
      if (grantId !== null) await this.#followGrant(grantId)
    }
  }

  /** A session that is given a new identifier while it is being ended has ended. */
  async #followSession(idHash: string, uidHash: string): Promise<void> {
    const ended = await this.#records.find(ENDED_SESSION, uidHash)
    if (!ended) return
    await this.#records.write([{ revoke: { model: 'Session', idHash }, at: this.#now() }])
  }

  /** What was written while its grant was being revoked, by the loser of a race, is revoked too. */
  async #followGrant(grantId: string): Promise<void> {
    const grant = await this.#records.find('Grant', hashIdentifier(grantId))
    if (!grant || grant.revokedAt) await this.#records.revokeGrant(grantId, this.#now())
  }
}

const gathered = new WeakMap<object, RecordWrites>()

/** What the request of the library that is under way writes; null outside of any. */
export function gatheredWrites(): RecordWrites | null {
  const { ctx } = Provider
  return (ctx && gathered.get(ctx)) ?? null
}

/** What a request of the library writes stands or falls together, and is on disk before it is answered. */
export function writeTogether(provider: Provider, parts: Parts): Middleware {
  return async (koa, next) => {
    const ctx = koa as KoaContextWithOIDC
    const writes = new RecordWrites(parts)
    gathered.set(ctx, writes)
    try {
      await next()
    } finally {
      gathered.delete(ctx)
      await writes.flush().catch((error: unknown) => {
        takeBack(provider, ctx, error)
      })
    }
  }
}

/** Cookies, codes and tokens that are on no record are not given out. */
function takeBack(provider: Provider, ctx: KoaContextWithOIDC, error: unknown): void {
  for (const name of ctx.res.getHeaderNames()) ctx.remove(name)
  // A page says it in its own words.
  if (!isForApplications(ctx)) throw error
  ctx.status = 500
  ctx.body = { error: 'server_error', error_description: 'oops! something went wrong' }
  provider.emit('server_error', ctx, error)
}
