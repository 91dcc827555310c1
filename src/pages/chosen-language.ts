import type { Context, Middleware } from 'koa'
import { LANGUAGES, type Language } from './language.js'

const COOKIE = 'lang'

/** Where `lang` is the wish of the person who reads; elsewhere it is a parameter of an application. */
const PAGES = /^\/(account|demo|oauth2\/interaction)(\/|$)/

/** The language that the person chose at the foot of a page, this one or an earlier one. */
export function chosenLanguage(ctx: Context): Language | null {
  return wishOf(ctx) ?? readLanguage(ctx.cookies.get(COOKIE, { signed: false }))
}

/** What was chosen holds for all pages until the browser is closed. */
export const keepChosenLanguage: Middleware = (ctx, next) => {
  const wish = wishOf(ctx)
  if (wish) {
    ctx.cookies.set(COOKIE, wish, { path: '/', httpOnly: true, sameSite: 'lax', signed: false })
  }
  return next()
}

/** The address at which a page can be read again; null for what was posted to, and for other addresses. */
export function readableAddress({ method, path }: Context): string | null {
  return method === 'GET' && PAGES.test(path) ? path : null
}

function wishOf(ctx: Context): Language | null {
  return PAGES.test(ctx.path) ? readLanguage(ctx.query['lang']) : null
}

function readLanguage(text: unknown): Language | null {
  return LANGUAGES.find((each) => each === text) ?? null
}
