export default {
  fetch() {
    throw new Error("this one always fails");
  },
};
