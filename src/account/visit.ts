import { randomBytes } from 'node:crypto'
import type { Context } from 'koa'
import type { Accounts } from '../identity/accounts.js'
import { hasSecondFactor } from '../identity/enrolment.js'
import type { Identities } from '../identity/identities.js'
import type { Passkeys } from '../identity/passkeys.js'
import type { User } from '../identity/user.js'
import type { PageRenderer } from '../oauth/page-renderer.js'
import type { Language } from '../pages/language.js'
import type { SignerSession, SignerSessions } from '../oauth/signer-sessions.js'
import type { SectionTitle } from './pages/messages.js'
import { renderNotSignedIn } from './pages/not-signed-in.js'

/** A person looking at their own pages. */
export interface AccountVisit {
  readonly ctx: Context
  readonly user: User
  readonly lang: Language
  readonly authenticatedAt: Date
  /** How they signed in (RFC 8176). */
  readonly amr: readonly string[]
  readonly sessionUid: string
  /** Path of the section the page belongs to, for the navigation. */
  readonly section: string
  readonly navigation: readonly SectionName[]
}

/** An entry of the navigation. */
export interface SectionName {
  /** Below `/account/`; the overview's is empty. */
  readonly path: string
  /** Key of its name in `pages/messages.ts`. */
  readonly title: SectionTitle
}

/** How long after signing in with all factors a person may change what protects the account. */
const FRESH_SECONDS = 300
const SIGN_IN_SECONDS = 900

const STATE = /^[\w-]{22}$/

/** What the browser keeps while its person signs in. */
interface Departure {
  readonly returnTo: string
  readonly fresh: boolean
}

/** Opens visits: whoever is not signed in is sent to the authorization server, and comes back. */
export class AccountVisits {
  readonly #sessions: SignerSessions
  readonly #accounts: Accounts
  readonly #passkeys: Passkeys
  readonly #identities: Pick<Identities, 'issuersOf'>
  readonly #pages: PageRenderer
  readonly #baseUrl: string
  readonly #navigation: readonly SectionName[]
  readonly #now: () => Date

  constructor(parts: {
    sessions: SignerSessions
    accounts: Accounts
    passkeys: Passkeys
    identities: Pick<Identities, 'issuersOf'>
    pages: PageRenderer
    baseUrl: string
    navigation: readonly SectionName[]
    now: () => Date
  }) {
    this.#sessions = parts.sessions
    this.#accounts = parts.accounts
    this.#passkeys = parts.passkeys
    this.#identities = parts.identities
    this.#pages = parts.pages
    this.#baseUrl = parts.baseUrl
    this.#navigation = parts.navigation
    this.#now = parts.now
  }

  /**
   * The visit, or null after the browser was sent to sign in.
   * @param fresh whether the person must have signed in with all factors just now (S29)
   */
  async open(
    ctx: Context,
    { section, fresh }: { section: string; fresh: boolean },
  ): Promise<AccountVisit | null> {
    const session = await this.#sessions.current(ctx)
    const user = session && (await this.#accounts.find(session.userId))
    if (!user || (fresh && !(await this.#isFresh(session)))) {
      this.#leaveToSignIn(ctx, section, fresh)
      return null
    }
    const { uid: sessionUid, authenticatedAt, amr } = session
    const lang = this.#pages.language(ctx, { lang: ctx.query['lang'] ?? user.lang })
    const navigation = this.#navigation
    return { ctx, user, lang, authenticatedAt, amr, sessionUid, section, navigation }
  }

  /** The way back from signing in. */
  async signedIn(ctx: Context): Promise<void> {
    const { code, state, iss, error } = ctx.query
    if (typeof code === 'string') await this.#sessions.discardCode(code)
    const departure = typeof state === 'string' ? takeDeparture(ctx, state) : null
    if (!departure || iss !== this.#baseUrl) {
      this.#pages.renderProblem(ctx, 400, 'invalid_request', 'expired')
      return
    }
    const session = await this.#sessions.current(ctx)
    const insufficient = departure.fresh && (session === null || !(await this.#isFresh(session)))
    if (error !== undefined || session === null || insufficient) {
      const lang = this.#pages.language(ctx, ctx.query)
      const why = error === undefined && session !== null ? 'too-weak' : 'cancelled'
      this.#pages.send(ctx, 403, renderNotSignedIn({ lang, why, retry: departure.returnTo }))
      return
    }
    redirect(ctx, departure.returnTo)
  }

  async signOut({ ctx }: AccountVisit): Promise<void> {
    await this.#sessions.end(ctx)
  }

  /** Just now, and with a second factor where the account has one. */
  async #isFresh({ userId, authenticatedAt, amr }: SignerSession): Promise<boolean> {
    const age = this.#now().getTime() - authenticatedAt.getTime()
    if (age > FRESH_SECONDS * 1000) return false
    return hasSecondFactor(amr) || !(await this.#hasSecondFactor(userId))
  }

  async #hasSecondFactor(userId: string): Promise<boolean> {
    if (await this.#accounts.hasAuthenticator(userId)) return true
    if (await this.#passkeys.has(userId)) return true
    return (await this.#identities.issuersOf(userId)).length > 0
  }

  #leaveToSignIn(ctx: Context, section: string, fresh: boolean): void {
    const state = randomBytes(16).toString('base64url')
    const ownAddress = `${ctx.path}${ctx.search}`
    // What was posted is not posted again: the person comes back to the page with the form.
    const isPage = ctx.method === 'GET' && ownAddress.length < 500
    const departure = { returnTo: isPage ? ownAddress : sectionPath(section), fresh }
    const value = Buffer.from(JSON.stringify(departure)).toString('base64url')
    ctx.cookies.set(cookieName(state), value, { ...COOKIE, maxAge: SIGN_IN_SECONDS * 1000 })
    const lang = this.#pages.language(ctx, ctx.query)
    redirect(ctx, this.#sessions.signInAddress(state, { fresh, lang }))
  }
}

/** Where a section's page is. */
export function sectionPath(section: string): string {
  return section === '' ? '/account' : `/account/${section}`
}

/** Within this site only; 303, so that nothing is posted on (S48). */
export function redirect(ctx: Context, path: string): void {
  ctx.status = 303
  ctx.set('Location', path)
  ctx.set('Cache-Control', 'no-store')
}

const COOKIE = {
  path: '/account/signed-in',
  httpOnly: true,
  sameSite: 'lax',
  signed: true,
  overwrite: true,
} as const

/** One for each departure, so that two tabs can sign in side by side. */
function cookieName(state: string): string {
  return `account.${state}`
}

function takeDeparture(ctx: Context, state: string): Departure | null {
  if (!STATE.test(state)) return null
  const value = ctx.cookies.get(cookieName(state), { signed: true })
  if (!value) return null
  ctx.cookies.set(cookieName(state), null, COOKIE)
  return JSON.parse(Buffer.from(value, 'base64url').toString()) as Departure
}
