import { isToCome, type Credential } from '../credentials/credential.js'
import { certificateStatus, signingCertificate } from '../credentials/credentials.js'
import { renderCredentialDecision, renderCredentials } from './pages/credentials.js'
import { viewOf } from './pages/account-page.js'
import { done, notFound, pathPart, type AccountParts, type AccountSection } from './section.js'
import type { AccountVisit } from './visit.js'

/**
 * A person's keys and certificates. Suspending works at once, for whoever fears misuse; what makes
 * signing possible again, or impossible for good, asks for all factors (S29).
 */
export const credentials: AccountSection = {
  path: 'credentials',
  title: 'credentials',
  routes(section, parts) {
    const { pages, now } = parts
    const fresh = { fresh: true }

    section.get('/', async (visit) => {
      const owned = await parts.credentials.list(visit.user.id)
      // There is nothing to see, or to end, of what may come.
      const shown = owned.filter((each) => !isToCome(each)).map((each) => describe(each, now()))
      pages.send(visit.ctx, 200, renderCredentials({ ...viewOf(visit), credentials: shown }))
    })
    section.post('/:id/suspend', async (visit) => {
      const credential = await own(visit, parts)
      if (!credential) return notFound(visit, parts)
      await parts.credentials.suspend(credential.id, 'signer', 'signer')
      done(visit, 'suspended')
    })
    for (const decision of ['resume', 'revoke'] as const) {
      const decide = async (visit: AccountVisit) => {
        const credential = await own(visit, parts)
        if (!credential || !allows(credential, decision)) return notFound(visit, parts)
        const view = { ...viewOf(visit), credential: describe(credential, now()), decision }
        pages.send(visit.ctx, 200, renderCredentialDecision(view))
      }
      section.get(`/:id/${decision}`, decide, fresh)
    }
    section.post(
      '/:id/resume',
      async (visit) => {
        const credential = await own(visit, parts)
        const resumed =
          credential && (await parts.credentials.resume(credential.id, 'signer', 'signer'))
        if (!resumed) return notFound(visit, parts)
        done(visit, 'resumed')
      },
      fresh,
    )
    section.post(
      '/:id/revoke',
      async (visit) => {
        const credential = await own(visit, parts)
        const revoked = credential && (await parts.credentials.revoke(credential.id, 'signer'))
        if (!revoked) return notFound(visit, parts)
        done(visit, 'revoked')
      },
      fresh,
    )
  },
}

async function own(visit: AccountVisit, { credentials }: AccountParts): Promise<Credential | null> {
  const credential = await credentials.find(pathPart(visit, 'id'))
  return credential?.userId === visit.user.id && !isToCome(credential) ? credential : null
}

function allows({ status, suspendedBy }: Credential, decision: 'resume' | 'revoke'): boolean {
  return decision === 'revoke'
    ? status !== 'revoked'
    : status === 'suspended' && suspendedBy === 'signer'
}

function describe(credential: Credential, now: Date) {
  const { id, description, keyAlgorithm, suspendedBy } = credential
  // Deleted ones are not found any more.
  const status = credential.status === 'deleted' ? 'revoked' : credential.status
  const { subject, issuer, serialNumber, notBefore, notAfter } = signingCertificate(credential)
  return {
    ...{ id, description, keyAlgorithm, subject, issuer, serialNumber, notBefore, notAfter },
    status: status === 'enabled' ? (certificateStatus(credential, now) ?? 'disabled') : status,
    resumable: status === 'suspended' && suspendedBy === 'signer',
  }
}
