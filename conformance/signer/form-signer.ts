import { parse, type HTMLElement } from 'node-html-parser'
import type { Answer, Http } from '../exchange.js'
import { NotMet } from '../outcome.js'
import type { Step } from '../target.js'
import { Cookies } from './cookies.js'
import type { OneTimeCodes } from './one-time-codes.js'
import type { Decision, Signer } from './signer.js'

const MAX_PAGES = 8
const MAX_REDIRECTS = 12

/** A page to fill in, or what the application was told. */
type Stop = Answer | URLSearchParams

/** A browser without JavaScript: redirects, cookies and forms. */
export class FormSigner implements Signer {
  readonly #http: Http
  readonly #steps: readonly Step[]
  readonly #codes: OneTimeCodes
  /** Kept between requests, so that a signer signs in once. */
  readonly #cookies = new Cookies()

  constructor(http: Http, steps: readonly Step[], codes: OneTimeCodes) {
    this.#http = http
    this.#steps = steps
    this.#codes = codes
  }

  async authorize(url: string, redirectUri: string, decision: Decision): Promise<URLSearchParams> {
    const signedIn = !this.#cookies.isEmpty
    try {
      return await this.#attempt(url, redirectUri, decision)
    } catch (error) {
      // The session may have ended between two pages; people start again then.
      if (!(error instanceof NotMet) || !signedIn) throw error
      this.#cookies.clear()
      return this.#attempt(url, redirectUri, decision)
    }
  }

  async #attempt(url: string, redirectUri: string, decision: Decision): Promise<URLSearchParams> {
    let stop = await follow(this.#http, this.#cookies, url, redirectUri)
    for (let pages = 0; pages < MAX_PAGES; pages += 1) {
      if (stop instanceof URLSearchParams) return stop
      stop = await this.#fillIn(stop, redirectUri, decision)
    }
    throw new NotMet('the pages of the authorization server went in circles')
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  async #fillIn(page: Answer, redirectUri: string, decision: Decision): Promise<Stop> {
    const document = parse(page.text)
    const step = this.#steps.find((each) => fits(each, document))
    if (!step) {
      const text = document.textContent.replace(/\s+/g, ' ').trim().slice(0, 200)
      throw new NotMet(`no step of the signer fits the page (${page.status}): ${text}`)
    }
    const button = decision === 'reject' && step.reject ? step.reject : step.press
    const form = formWith(document, step, button)
    const fields = new Map(existingFields(form))
    for (const [name, typed] of Object.entries(step.fill ?? {})) {
      if (form.querySelector(`[name="${name}"]`)) fields.set(name, await this.#codes.valueOf(typed))
    }
    const [buttonName, buttonValue = ''] = (button ?? onlyButton(form)).split(/=(.*)/s)
    if (buttonName) fields.set(buttonName, buttonValue)
    const action = new URL(form.getAttribute('action') ?? '', page.url).href
    const body = new URLSearchParams([...fields]).toString()
    return follow(this.#http, this.#cookies, action, redirectUri, body)
  }
}

/** Goes where redirects lead, up to a page or to the application. */
export async function follow(
  http: Http,
  cookies: Cookies,
  start: string,
  redirectUri: string,
  form?: string,
): Promise<Stop> {
  let url = start
  let body = form ?? null
  for (let hops = 0; hops < MAX_REDIRECTS; hops += 1) {
    const answer = await http.send({
      method: body === null ? 'GET' : 'POST',
      url,
      headers: {
        Cookie: cookies.header(url),
        ...(body === null
          ? {}
          : {
              'Content-Type': 'application/x-www-form-urlencoded',
              Origin: new URL(url).origin,
            }),
      },
      body,
    })
    cookies.store(url, answer.headers)
    const location = answer.headers.get('location')
    if (location === null || answer.status < 300 || answer.status >= 400) return answer
    url = new URL(location, url).href
    const told = toldApplication(url, redirectUri)
    if (told) return told
    body = null
  }
  throw new NotMet(`too many redirects, last to ${url}`)
}

/** Null unless the address is the application's; answers of refused response types are in the fragment. */
function toldApplication(url: string, redirectUri: string): URLSearchParams | null {
  if (url !== redirectUri && !/^[?#]/.test(url.slice(redirectUri.length))) return null
  if (!url.startsWith(redirectUri)) return null
  const { search, hash } = new URL(url)
  return new URLSearchParams(search || hash.slice(1))
}

function fits({ field, button, text }: Step, document: HTMLElement): boolean {
  if (field !== undefined && !document.querySelector(`[name="${field}"]`)) return false
  if (button !== undefined && !document.querySelector(selectorOf(button))) return false
  return text === undefined || document.textContent.includes(text)
}

function selectorOf(button: string): string {
  const [name = '', value] = button.split(/=(.*)/s)
  return value === undefined ? `[name="${name}"]` : `[name="${name}"][value="${value}"]`
}

function formWith(document: HTMLElement, { field }: Step, button: string | undefined): HTMLElement {
  const forms = document.querySelectorAll('form')
  const form = forms.find(
    (each) =>
      (field === undefined || each.querySelector(`[name="${field}"]`)) &&
      (button === undefined || each.querySelector(selectorOf(button))),
  )
  if (!form) throw new NotMet('the page has no form with the field and button of the step')
  return form
}

function* existingFields(form: HTMLElement): Generator<[string, string]> {
  for (const input of form.querySelectorAll('input, select, textarea')) {
    const name = input.getAttribute('name')
    const type = input.getAttribute('type')?.toLowerCase() ?? 'text'
    if (!name || type === 'submit' || type === 'button' || type === 'image') continue
    const isChoice = type === 'checkbox' || type === 'radio'
    if (isChoice && !input.hasAttribute('checked')) continue
    const chosen = input.querySelector('option[selected]') ?? input.querySelector('option')
    const value = chosen?.getAttribute('value') ?? input.getAttribute('value')
    yield [name, value ?? (isChoice ? 'on' : '')]
  }
}

function onlyButton(form: HTMLElement): string {
  const button = form.querySelector('button[name], input[type=submit][name]')
  if (!button) return ''
  return `${button.getAttribute('name') ?? ''}=${button.getAttribute('value') ?? ''}`
}
