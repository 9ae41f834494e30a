/** Shows the copy buttons beside values, and the copy and print buttons of recovery codes. */
export function enhanceCopying(root) {
  if (navigator.clipboard) {
    for (const block of root.querySelectorAll('[data-copy]')) {
      const button = block.querySelector('.copy');
      reveal(button);
      button.addEventListener('click', () => copy(button, block.querySelector('code').textContent));
    }
  }
  for (const block of root.querySelectorAll('[data-codes]')) {
    reveal(block.querySelector('.codes-actions'));
    const button = block.querySelector('[data-codes-copy]');
    const codes = [...block.querySelectorAll('li')].map((item) => item.textContent.trim());
    if (navigator.clipboard) button.addEventListener('click', () => copy(button, codes.join('\n')));
    else button.hidden = true;
    block.querySelector('[data-codes-print]').addEventListener('click', () => window.print());
  }
}

function reveal(element) {
  element.hidden = false;
}

async function copy(button, text) {
  await navigator.clipboard.writeText(text);
  const label = button.querySelector('span');
  const before = label.textContent;
  if (before === button.dataset.done) return;
  label.textContent = button.dataset.done;
  // A live region would speak over the button's own new name: the name is enough where it has the focus.
  setTimeout(() => {
    label.textContent = before;
  }, 2000);
}
