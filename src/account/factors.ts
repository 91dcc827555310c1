import { hasSecondFactor, type Proof } from '../identity/enrolment.js'
import { authenticatorAddress } from '../identity/totp.js'
import { viewOf } from './pages/account-page.js'
import {
  renderChangeFactors,
  renderFactors,
  renderPendingAuthenticator,
  renderRecoveryCodes,
  type FactorsProblem,
} from './pages/factors.js'
import { done, notFound, pathPart, type AccountParts, type AccountSection } from './section.js'
import { redirect, sectionPath, type AccountVisit } from './visit.js'

const FRESH = { fresh: true } as const

/** The authenticator and the recovery codes: enrolled, replaced, removed by their owner alone (S29). */
export const factors: AccountSection = {
  path: 'factors',
  title: 'factors',
  routes(section, parts) {
    const { enrolment } = parts

    section.get('/', (visit) => show(visit, parts))
    section.get('/change', (visit) => showChange(visit, parts), FRESH)

    // The operator's code is the proof, for a person who may have nothing else any more.
    section.post('/enrol', async (visit, form) => {
      const enrolmentCode = form['enrolmentCode'] ?? ''
      const begun = await enrolment.begin(visit.user, { amr: [], enrolmentCode })
      if (begun.outcome !== 'shown') return show(visit, parts, begun.outcome)
      redirect(visit.ctx, pendingPath(visit, begun.pending.id))
    })
    section.post(
      '/replace',
      async (visit) => {
        const begun = await enrolment.begin(visit.user, proofOf(visit))
        if (begun.outcome !== 'shown') return showChange(visit, parts, begun.outcome)
        redirect(visit.ctx, pendingPath(visit, begun.pending.id))
      },
      FRESH,
    )

    section.get('/pending/:id', (visit) => showPending(visit, parts))
    section.post('/pending/:id', async (visit, form) => {
      const id = pathPart(visit, 'id')
      const confirmed = await enrolment.confirm(visit.user.id, id, form['otp'] ?? '')
      switch (confirmed.outcome) {
        case 'enrolled':
          return showCodes(visit, parts, confirmed.recoveryCodes, 'enrolled')
        case 'expired':
          return show(visit, parts, 'expired')
        default:
          return showPending(visit, parts, confirmed.outcome)
      }
    })

    section.post(
      '/recovery-codes',
      async (visit) => {
        const codes = await enrolment.newRecoveryCodes(visit.user, proofOf(visit))
        if (codes === null) return showChange(visit, parts, 'no-proof')
        showCodes(visit, parts, codes, 'renewed')
      },
      FRESH,
    )
    section.post(
      '/remove',
      async (visit) => {
        const removed = await enrolment.remove(visit.user, proofOf(visit))
        if (!removed) return showChange(visit, parts, 'not-removed')
        done(visit, 'removed')
      },
      FRESH,
    )
  },
}

/** Of a visit that is known to be fresh. */
function proofOf({ amr }: AccountVisit): Proof {
  return { amr }
}

function pendingPath({ section }: AccountVisit, id: string): string {
  return `${sectionPath(section)}/pending/${id}`
}

async function show(
  visit: AccountVisit,
  { enrolment, pages }: AccountParts,
  problem?: FactorsProblem,
): Promise<void> {
  const state = await enrolment.stateOf(visit.user.id)
  const view = { ...viewOf(visit), ...state, ...(problem ? { problem } : {}) }
  pages.send(visit.ctx, 200, renderFactors(view))
}

async function showChange(
  visit: AccountVisit,
  { enrolment, pages }: AccountParts,
  problem?: FactorsProblem,
): Promise<void> {
  const { authenticator, recoveryCodes } = await enrolment.stateOf(visit.user.id)
  const html = renderChangeFactors({
    ...viewOf(visit),
    ...{ authenticator, recoveryCodes },
    mayEnrol: hasSecondFactor(visit.amr),
    mayRemove: !visit.user.otpAtSignIn,
    ...(problem ? { problem } : {}),
  })
  pages.send(visit.ctx, 200, html)
}

async function showPending(
  visit: AccountVisit,
  parts: AccountParts,
  problem?: FactorsProblem,
): Promise<void> {
  const { enrolment, pages, serviceName } = parts
  const { user } = visit
  const pending = await enrolment.pending(user.id, pathPart(visit, 'id'))
  if (!pending) return notFound(visit, parts)
  const { id, totpSecret, expiresAt } = pending
  const html = renderPendingAuthenticator({
    ...viewOf(visit),
    ...{ id, totpSecret, expiresAt },
    address: authenticatorAddress(totpSecret, { account: user.username, issuer: serviceName }),
    ...(problem ? { problem } : {}),
  })
  pages.send(visit.ctx, 200, html)
}

/** Once: nobody can look them up again. */
function showCodes(
  visit: AccountVisit,
  { pages }: AccountParts,
  recoveryCodes: readonly string[],
  after: 'enrolled' | 'renewed',
): void {
  pages.send(visit.ctx, 200, renderRecoveryCodes({ ...viewOf(visit), recoveryCodes, after }))
}
