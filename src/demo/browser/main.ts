import { h, render } from 'preact'
import { App } from './app.js'
import { Demo, type State } from './demo.js'
import { titleOf } from './stepper.js'

const root = document.getElementById('app')
if (!root) throw new Error('The page has no place for the application')

const name = document.title
let shown: State['step'] | undefined
const demo = new Demo((state) => {
  // The first step of a first visit leaves the focus at the top of the page.
  const takeFocus = (shown !== undefined && shown !== state.step) || state.step !== 'documents'
  shown = state.step
  document.title = titleOf(state, name)
  render(h(App, { demo, state, takeFocus }), root)
})

// Coming back with the browser's own button shows a page frozen while it was leaving.
addEventListener('pageshow', (event) => {
  if (event.persisted) location.reload()
})
// A file dropped beside its target would replace the page.
for (const name of ['dragover', 'drop']) {
  addEventListener(name, (event) => {
    event.preventDefault()
  })
}

void demo.start()
