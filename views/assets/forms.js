/** Lets passwords be looked at, sends a form only once, and closes menus that lost the focus. */
export function enhanceForms(root) {
  for (const button of root.querySelectorAll('.reveal')) enhancePassword(root, button);

  // A one-time code that is sent twice is refused the second time, though the first was right.
  root.addEventListener('submit', (event) => {
    const form = event.target;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = 'yes';
    form.querySelector('[type=submit]')?.setAttribute('aria-busy', 'true');
  });
  // Coming back by the browser's button shows the page as it was left.
  window.addEventListener('pageshow', () => {
    for (const form of root.querySelectorAll('form[data-sent]')) {
      delete form.dataset.sent;
      form.querySelector('[type=submit]')?.removeAttribute('aria-busy');
    }
  });

  for (const menu of root.querySelectorAll('details.menu, .table details.confirm, .actions details.confirm')) {
    root.addEventListener('click', (event) => {
      if (menu.open && !menu.contains(event.target)) menu.open = false;
    });
    menu.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || !menu.open) return;
      menu.open = false;
      menu.querySelector('summary').focus();
    });
  }
}

function enhancePassword(root, button) {
  const input = root.getElementById(button.getAttribute('aria-controls'));
  button.hidden = false;
  button.addEventListener('click', () => {
    const shown = input.type === 'text';
    input.type = shown ? 'password' : 'text';
    button.setAttribute('aria-pressed', String(!shown));
    input.focus();
  });
  // Browsers offer to remember what is in a text field: it is a password again when it is sent.
  input.form?.addEventListener('submit', () => {
    input.type = 'password';
  });
}
