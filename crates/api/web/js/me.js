// Who is signed in, as /v1/whoami says.

let whoami = null;

export const me = {
  get: () => whoami,
  set: (answer) => (whoami = answer),
};
