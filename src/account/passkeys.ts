import { hasSecondFactor } from '../identity/enrolment.js'
import { PasskeyRefusedError } from '../identity/passkey-refusal.js'
import { passkeyName, type PasskeyPurpose } from '../identity/passkeys.js'
import { PASSKEY_FIELD } from '../pages/passkey.js'
import { viewOf } from './pages/account-page.js'
import {
  renderAddPasskey,
  renderPasskeys,
  renderRemovePasskey,
  type AddPasskeyProblem,
} from './pages/passkeys.js'
import {
  done,
  notFound,
  pathPart,
  type AccountParts,
  type AccountSection,
  type Form,
} from './section.js'
import type { AccountVisit } from './visit.js'

const FRESH = { fresh: true } as const

/** Passkeys: added, named and removed by their owner alone (S29). */
export const passkeys: AccountSection = {
  path: 'passkeys',
  title: 'passkeys',
  routes(section, parts) {
    const { passkeys } = parts

    section.get('/', (visit) => show(visit, parts))
    section.post('/:id/rename', async (visit, form) => {
      const name = passkeyName(form['name'] ?? '')
      if (name === null) return show(visit, parts, pathPart(visit, 'id'))
      const renamed = await passkeys.rename(visit.user.id, pathPart(visit, 'id'), name)
      return renamed ? done(visit, 'saved') : notFound(visit, parts)
    })

    section.get('/add', (visit) => showAdd(visit, parts), FRESH)
    section.post('/add', (visit, form) => add(visit, parts, form), FRESH)
    // The operator's code is the proof, for a person who may have nothing else any more.
    section.get('/enrol', (visit) => showEnrol(visit, parts))
    section.post('/enrol', (visit, form) => enrol(visit, parts, form))

    section.get(
      '/:id/remove',
      async (visit) => {
        const owned = await passkeys.list(visit.user.id)
        const passkey = owned.find(({ id }) => id === pathPart(visit, 'id'))
        if (!passkey) return notFound(visit, parts)
        const view = { ...viewOf(visit), passkey, isLast: owned.length === 1 }
        parts.pages.send(visit.ctx, 200, renderRemovePasskey(view))
      },
      FRESH,
    )
    section.post(
      '/:id/remove',
      async (visit) => {
        // Whoever has a passkey was let in here with a second factor.
        const removed = await passkeys.remove(visit.user.id, pathPart(visit, 'id'))
        return removed ? done(visit, 'removed') : notFound(visit, parts)
      },
      FRESH,
    )
  },
}

async function show(
  visit: AccountVisit,
  { passkeys, pages }: AccountParts,
  misnamed: string | null = null,
): Promise<void> {
  const owned = await passkeys.list(visit.user.id)
  pages.send(visit.ctx, 200, renderPasskeys({ ...viewOf(visit), passkeys: owned, misnamed }))
}

/** Of this sign-in of this person: an answer made for another enrols nothing. */
function enrolment({ user, sessionUid }: AccountVisit): PasskeyPurpose {
  const facts = ['enrolment', user.id, sessionUid]
  return { purpose: 'enrolment', clientId: null, facts }
}

type Shown = { readonly name?: string; readonly problem?: AddPasskeyProblem }

async function showAdd(visit: AccountVisit, parts: AccountParts, shown: Shown = {}): Promise<void> {
  const by = hasSecondFactor(visit.amr) ? 'sign-in' : 'nothing'
  return showForm(visit, parts, { ...shown, by })
}

function showEnrol(visit: AccountVisit, parts: AccountParts, shown: Shown = {}): Promise<void> {
  return showForm(visit, parts, { ...shown, by: 'enrolment-code' })
}

async function showForm(
  visit: AccountVisit,
  { passkeys, pages }: AccountParts,
  shown: Shown & { by: 'sign-in' | 'enrolment-code' | 'nothing' },
): Promise<void> {
  const options =
    shown.by === 'nothing' ? null : await passkeys.askToEnrol(visit.user, enrolment(visit))
  const html = renderAddPasskey({
    ...viewOf(visit),
    ...shown,
    ...(options ? { question: { ceremony: 'create', options } } : {}),
  })
  pages.send(visit.ctx, 200, html, [], options !== null)
}

async function add(visit: AccountVisit, parts: AccountParts, form: Form): Promise<void> {
  if (!hasSecondFactor(visit.amr)) return showAdd(visit, parts)
  const problem = await enrolPasskey(visit, parts, form, null)
  return problem ? showAdd(visit, parts, problem) : done(visit, 'added')
}

async function enrol(visit: AccountVisit, parts: AccountParts, form: Form): Promise<void> {
  const proved = await parts.enrolment.proveByCode(visit.user, form['enrolmentCode'] ?? '')
  if (proved.outcome !== 'proved') {
    return showEnrol(visit, parts, { name: form['name'] ?? '', problem: proved.outcome })
  }
  const problem = await enrolPasskey(visit, parts, form, proved.proofHash)
  return problem ? showEnrol(visit, parts, problem) : done(visit, 'added')
}

/** @returns what to show again, or null when it was added */
async function enrolPasskey(
  visit: AccountVisit,
  { passkeys }: AccountParts,
  form: Form,
  codeHash: string | null,
): Promise<Shown | null> {
  const typed = form['name'] ?? ''
  const name = passkeyName(typed)
  if (name === null) return { name: typed, problem: 'name' }
  try {
    const answer = form[PASSKEY_FIELD] ?? ''
    await passkeys.enrol(visit.user, { answer, name, codeHash }, enrolment(visit))
    return null
  } catch (error) {
    if (!(error instanceof PasskeyRefusedError)) throw error
    return { name, problem: error.kind }
  }
}
