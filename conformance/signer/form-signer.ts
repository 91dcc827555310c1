import { parse, type HTMLElement } from 'node-html-parser'
import type { Answer, Http } from '../exchange.js'
import { NotMet } from '../outcome.js'
import type { Step } from '../target.js'
import { Cookies } from './cookies.js'
import type { OneTimeCodes } from './one-time-codes.js'
import { CameAgain, fillings, PageHistory, type SeenPage } from './page-history.js'
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
      if (!(error instanceof NotMet) || error instanceof CameAgain || !signedIn) throw error
      this.#cookies.clear()
      return this.#attempt(url, redirectUri, decision)
    }
  }

  async #attempt(url: string, redirectUri: string, decision: Decision): Promise<URLSearchParams> {
    const history = new PageHistory()
    let stop = await follow(this.#http, this.#cookies, url, redirectUri)
    for (let pages = 0; pages < MAX_PAGES; pages += 1) {
      if (stop instanceof URLSearchParams) return stop
      stop = await this.#fillIn(stop, redirectUri, decision, history)
    }
    throw new NotMet(`after ${MAX_PAGES} pages the authorization server was not done`)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  async #fillIn(
    page: Answer,
    redirectUri: string,
    decision: Decision,
    history: PageHistory,
  ): Promise<Stop> {
    const document = parse(page.text)
    const step = this.#steps.find((each) => fits(each, document))
    if (!step) {
      throw new NotMet(`no step of the signer fits the page (${page.status}): ${textOf(document)}`)
    }
    const button = decision === 'reject' && step.reject ? step.reject : step.press
    const form = formWith(document, step, button)
    history.enter(seen(document, form), step)
    const fields = new Map(existingFields(form))
    for (const [name, typed] of fillings(step, decision)) {
      if (!form.querySelector(`[name="${name}"]`)) continue
      fields.set(name, choiceNamed(form, name, await this.#codes.valueOf(typed)))
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

function seen(document: HTMLElement, form: HTMLElement): SeenPage {
  const visible = form.querySelectorAll('input:not([type=hidden]), select, textarea')
  const alert = document.querySelector('[role=alert]')
  return {
    title: textOf(document.querySelector('h1') ?? document.querySelector('title')),
    fields: visible.flatMap((field) => field.getAttribute('name') ?? []),
    objection: textOf(alert),
  }
}

function textOf(element: HTMLElement | null): string {
  return (element?.textContent ?? '').replace(/\s+/g, ' ').trim().slice(0, 200)
}

/**
 * What a field gets: what is typed or, of radio buttons and options, the one with that value or these
 * words beside it.
 */
function choiceNamed(form: HTMLElement, name: string, typed: string): string {
  const choices = choicesOf(form, name)
  if (choices.length === 0) return typed
  const chosen =
    choices.find(({ value }) => value === typed) ??
    choices.find(({ words }) => words.toLowerCase().includes(typed.toLowerCase()))
  if (chosen) return chosen.value
  const words = choices.map((choice) => `"${choice.words}"`).join(', ')
  throw new CameAgain(`the page has no choice "${typed}" for ${name}, but ${words}`)
}

interface Choice {
  readonly value: string
  readonly words: string
}

function choicesOf(form: HTMLElement, name: string): Choice[] {
  const radios = form.querySelectorAll(`input[type=radio][name="${name}"]`).map((radio) => {
    const id = radio.getAttribute('id')
    const label = radio.closest('label') ?? (id ? form.querySelector(`label[for="${id}"]`) : null)
    return { value: radio.getAttribute('value') ?? 'on', words: textOf(label) }
  })
  const options = form.querySelectorAll(`select[name="${name}"] option`).map((option) => {
    const words = textOf(option)
    return { value: option.getAttribute('value') ?? words, words }
  })
  return [...radios, ...options]
}

function* existingFields(form: HTMLElement): Generator<[string, string]> {
  for (const input of form.querySelectorAll('input, select, textarea')) {
    const name = input.getAttribute('name')
    const type = input.getAttribute('type')?.toLowerCase() ?? 'text'
    if (!name || type === 'submit' || type === 'button' || type === 'image') continue
    const isChoice = type === 'checkbox' || type === 'radio'
    if (isChoice && !input.hasAttribute('checked') && !mustBeChosen(form, input)) continue
    const chosen = input.querySelector('option[selected]') ?? input.querySelector('option')
    const value = chosen?.getAttribute('value') ?? input.getAttribute('value')
    yield [name, value ?? (isChoice ? 'on' : '')]
  }
}

/** The first of radio buttons of which one is demanded and none is chosen: some have to be taken. */
function mustBeChosen(form: HTMLElement, input: HTMLElement): boolean {
  if (input.getAttribute('type')?.toLowerCase() !== 'radio') return false
  const name = input.getAttribute('name') ?? ''
  const group = form.querySelectorAll(`input[type=radio][name="${name}"]`)
  const demanded = group.some((each) => each.hasAttribute('required'))
  return demanded && !group.some((each) => each.hasAttribute('checked')) && group[0] === input
}

function onlyButton(form: HTMLElement): string {
  const button = form.querySelector('button[name], input[type=submit][name]')
  if (!button) return ''
  return `${button.getAttribute('name') ?? ''}=${button.getAttribute('value') ?? ''}`
}
