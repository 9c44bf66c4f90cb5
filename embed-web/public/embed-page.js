// The page /embed/{camera}: the element, filled in from the page's address.

const view = document.createElement("framecast-view");
const camera = decodeURIComponent(location.pathname.split("/").pop() ?? "");
view.setAttribute("camera", camera);
// The folder above, so that a proxy may serve the view port below a path.
view.setAttribute("src", new URL("..", location.href).href);
const asked = new URLSearchParams(location.search);
for (const name of ["fit", "transport", "max-fps", "quality", "badge"]) {
  const value = asked.get(name);
  if (value !== null) view.setAttribute(name, value);
}
document.title = `${camera} · framecast`;
document.querySelector("main")?.append(view);
