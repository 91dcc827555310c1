import { createHash } from 'node:crypto'
import assert from 'node:assert/strict'
import { totpCode } from '../../src/identity/totp.js'
import type { Rssp } from '../support/rssp.js'
import type { Page } from '../support/signer-browser.js'
import type { Signer } from './signer.js'

/** Ids of the requests that wait for the signer, oldest first. */
export async function waitingIds(signer: Signer): Promise<string[]> {
  const { status, html } = await signer.open('/account/approvals')
  assert.equal(status, 200)
  return [...html.matchAll(/href="\/account\/approvals\/([\w-]+)"/g)].map(([, id = '']) => id)
}

/** Decides on the newest request that waits, as its page asks to. */
export async function decide(
  rssp: Rssp,
  signer: Signer,
  action: 'approve' | 'reject',
  more: Record<string, string> = {},
): Promise<Page> {
  const id = (await waitingIds(signer)).at(-1)
  assert.ok(id, 'no request waits')
  rssp.clock.advance(30)
  const otp = totpCode(signer.user.totpSecret, rssp.clock.now())
  return signer.post(`/account/approvals/${id}`, { action, otp, ...more })
}

/** What an application that wants to show the number works out from its handle (docs/approvals.md). */
export function numberOf(handle: string): string {
  const digest = createHash('sha256').update(handle).digest()
  return String(digest.readUInt32BE(0) % 10_000).padStart(4, '0')
}
